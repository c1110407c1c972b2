const begin = '<!-- bench -->';
const end = '<!-- /bench -->';

/** The text with what lies between the markers replaced. Throws when they are not there, in this order. */
export function withBlock(text: string, block: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`there is no ${begin} … ${end} to write between`);
  return `${text.slice(0, from + begin.length)}\n${block}\n${text.slice(to)}`;
}

/** Says on stderr what is being done: in one line that is overwritten on a terminal, else once for each new thing. */
export function progress(): { say: (what: string) => void; end: () => void } {
  const { stderr } = process;
  let last = '';
  if (!stderr.isTTY) {
    return {
      say(what) {
        const [subject = what] = what.split(':');
        if (subject !== last) stderr.write(`${subject}\n`);
        last = subject;
      },
      end: () => {},
    };
  }
  return {
    say: (what) => stderr.write(`\r\x1b[K${what.slice(0, (stderr.columns || 80) - 1)}`),
    end: () => stderr.write('\r\x1b[K'),
  };
}

/**
 * Does a tag match a pattern of `docker images --filter reference=…`? A pattern is `name` or `name:tag`; `*` stands for
 * any characters but `/`, `?` for one.
 */
export function matchesTag(pattern: string, tag: string): boolean {
  return matches(pattern, tag) || matches(pattern, tag.slice(0, tag.lastIndexOf(':')));
}

function matches(pattern: string, text: string): boolean {
  const patterns = pattern.split('/');
  const texts = text.split('/');
  return patterns.length === texts.length && patterns.every((part, i) => matchesComponent(part, texts[i] ?? ''));
}

/** Goes back to the last `*` alone: what an earlier one could take in, the last one can as well. */
function matchesComponent(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

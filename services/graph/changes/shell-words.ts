/** Dockerfile words: split at blanks outside quotes, quotes and backslashes kept for `expand`. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  let isOpen = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (quote === '' && /\s/.test(character)) {
      if (isOpen) words.push(word);
      word = '';
      isOpen = false;
      continue;
    }
    isOpen = true;
    word += character;
    if (character === '\\' && quote !== "'" && i + 1 < text.length) word += text.charAt(++i);
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  if (isOpen) words.push(word);
  return words;
}

/**
 * What a word means: quotes and backslashes taken away, `$name`, `${name}`, `${name:-default}` and `${name:+other}`
 * replaced (not within single quotes).
 */
export function expand(word: string, variables: ReadonlyMap<string, string>): string {
  let result = '';
  let isDouble = false;
  for (let i = 0; i < word.length; ) {
    const rest = word.slice(i);
    const single = isDouble ? null : /^'([^']*)'?/.exec(rest);
    const escaped = isDouble ? /^\\(["$\\])/.exec(rest) : /^\\(.?)/s.exec(rest);
    const variable = /^\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/.exec(rest);
    const match = single ?? escaped ?? variable;
    if (rest.startsWith('"')) {
      isDouble = !isDouble;
      i += 1;
    } else if (match === null) {
      result += rest.charAt(0);
      i += 1;
    } else {
      result += match === variable ? valueFor(variable, variables) : (match[1] ?? '');
      i += match[0].length;
    }
  }
  return result;
}

function valueFor(match: RegExpExecArray, variables: ReadonlyMap<string, string>): string {
  const [, plain, braced, operator, word = ''] = match;
  const value = variables.get(plain ?? braced ?? '') ?? '';
  if (operator === '-') return value === '' ? expand(word, variables) : value;
  if (operator === '+') return value === '' ? '' : expand(word, variables);
  return value;
}

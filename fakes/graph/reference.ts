import { errors } from './errors.ts';

/** What a user may type for an image: a name, an id or the beginning of one. */
export interface Reference {
  /** `sha256:<hex>`; undefined: it is no whole id. */
  id: string | undefined;
  /** The tag that a name means; undefined for a whole id. */
  tag: string | undefined;
  /** Hex digits, when it may be the beginning of an id. */
  prefix: string | undefined;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const name = new RegExp(`^((?:[a-zA-Z0-9.-]+(?::\\d+)?/)?${component}(?:/${component})*)(?::(\\w[\\w.-]{0,127}))?$`);

/** BAD_REFERENCE. */
export function parseReference(text: string): Reference {
  const [, hex] = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text) ?? [];
  if (hex !== undefined) return { id: `sha256:${hex}`, tag: undefined, prefix: undefined };
  const [, prefix] = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(text) ?? [];
  return { id: undefined, tag: tagOf(text), prefix };
}

/** `repository:tag`, `latest` when none is named. BAD_REFERENCE. */
export function tagOf(text: string): string {
  const [, repository, tag = 'latest'] = name.exec(text) ?? [];
  // A name's first part is a registry's when it could be no part of a path; else capitals are wrong.
  const isCapital = /^[^/.:]*[A-Z][^/.:]*\//.test(text);
  if (repository === undefined || isCapital) throw errors.badReference({ reference: text });
  return `${repository.replace(/^(docker\.io\/)?library\/(?=[^/]+$)/, '')}:${tag}`;
}

import { type Digest, isDigest } from './digest.ts';
import { badReference } from './errors.ts';

/**
 * What a user may type for an image. A *name* is `[domain/]path[:tag][@digest]`; short names stay as they are typed, and
 * `library/x` is `x`. An *id* is a whole image id. A prefix of an id looks like a name, so a name that is not found is
 * tried as one.
 */
export type Reference = NameReference | { kind: 'id'; id: Digest };

export interface NameReference {
  kind: 'name';
  /** With the domain, if it has one. */
  repository: string;
  tag?: string;
  digest?: Digest;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const path = `${component}(?:/${component})*`;
const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const tagGrammar = '\\w[\\w.-]{0,127}';
const digestGrammar = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';

const wholeReference = new RegExp(`^((?:${domain}/)?${path})(?::(${tagGrammar}))?(?:@(${digestGrammar}))?$`);
const wholeTag = new RegExp(`^${tagGrammar}$`);
const wholeHex = /^[0-9a-f]{64}$/;

/** Nothing longer can be a reference; the expressions above never see more. */
const longest = 1024;

export function parseReference(text: string): Reference {
  if (wholeHex.test(text)) return { kind: 'id', id: `sha256:${text}` };
  if (isDigest(text)) return { kind: 'id', id: text };
  return parseName(text);
}

export function parseName(text: string): NameReference {
  if (wholeHex.test(text)) {
    throw badReference(text, `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const own = text.slice(domainOf(text).length);
  const remote = own.split(':', 1)[0] ?? '';
  if (remote.toLowerCase() !== remote) {
    throw badReference(text, `invalid reference format: repository name (${remote}) must be lowercase`);
  }
  const match = text.length <= longest ? wholeReference.exec(text) : null;
  const [, typed, tag, digest] = match ?? [];
  if (typed === undefined) throw badReference(text, 'invalid reference format');
  if (typed.length - domainOf(typed).length > 255) {
    throw badReference(text, 'repository name must not be more than 255 characters');
  }
  return {
    kind: 'name',
    repository: familiar(typed),
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest: checkDigest(text, digest) }),
  };
}

/** The name of a tag to make; `latest` when `tag` is empty. */
export function tagName(repository: string, tag: string): string {
  const name = parseName(tag === '' ? repository : `${repository}:${tag}`);
  if (name.digest !== undefined) throw badReference(repository, 'refusing to create a tag with a digest reference');
  if (tag !== '' && (!wholeTag.test(tag) || name.tag !== tag))
    throw badReference(`${repository}:${tag}`, 'invalid tag format');
  if (/^[0-9a-f]{64}$/.test(name.repository)) {
    const problem = `invalid repository name (${name.repository}), cannot specify 64-byte hexadecimal strings`;
    throw badReference(repository, problem);
  }
  if (name.repository === 'sha256') {
    throw badReference(repository, 'refusing to create an ambiguous tag using digest algorithm as name');
  }
  return `${name.repository}:${name.tag ?? 'latest'}`;
}

/** As people are shown it: with the tag that it means, or with its digest. */
export function referenceText(reference: Reference): string {
  if (reference.kind === 'id') return reference.id;
  const { repository, tag, digest } = reference;
  if (digest !== undefined) return `${repository}${tag === undefined ? '' : `:${tag}`}@${digest}`;
  return `${repository}:${tag ?? 'latest'}`;
}

export function repositoryOf(tag: string): string {
  return tag.slice(0, tag.lastIndexOf(':'));
}

/** `domain/` of a name, or nothing: the first component is a domain when it could not be a part of a path. */
function domainOf(text: string): string {
  const slash = text.indexOf('/');
  if (slash < 0) return '';
  const first = text.slice(0, slash);
  const isDomain = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first;
  return isDomain ? text.slice(0, slash + 1) : '';
}

function familiar(repository: string): string {
  const official = /^library\/([^/]+)$/.exec(repository);
  return official?.[1] ?? repository;
}

function checkDigest(text: string, digest: string): Digest {
  if (!digest.startsWith('sha256:')) throw badReference(text, 'unsupported digest algorithm');
  if (digest.length !== 'sha256:'.length + 64) throw badReference(text, 'invalid checksum digest length');
  if (!isDigest(digest)) throw badReference(text, 'invalid checksum digest format');
  return digest;
}

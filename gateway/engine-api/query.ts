import { type Bounds, int32 } from './body.ts';
import { BadRequest } from './errors.ts';
import { timeBefore } from './times.ts';

/** Docker's query strings: typed reads that name the field when it is malformed. */
export interface Query {
  text(name: string): string | undefined;
  texts(name: string): string[];
  /** Empty, `0`, `no`, `false`, `none` are false, anything else true, as Docker has it; absent is what `absent` says, or false. */
  truth(name: string, absent?: boolean): boolean;
  integer(name: string, bounds?: Bounds): number | undefined;
  /** Seconds since 1970 with a fraction, RFC 3339, or how long ago, `1h30m`: as nanoseconds; 0n when absent. */
  time(name: string): bigint;
  /** `filters`: values by key. `{"a":["x"]}` and the older `{"a":{"x":true}}`. Without `known` any key goes. */
  filters(known?: readonly string[]): Record<string, string[]>;
}

export function queryOf(parameters: URLSearchParams): Query {
  const query: Query = {
    text: (name) => parameters.get(name) || undefined,
    texts: (name) => parameters.getAll(name).filter((value) => value !== ''),
    truth(name, absent = false) {
      const value = parameters.get(name);
      return value === null ? absent : !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
    },
    integer(name, bounds) {
      const value = query.text(name);
      return value === undefined ? undefined : integerOf(name, value, bounds);
    },
    time(name) {
      const value = query.text(name);
      if (value === undefined) return 0n;
      return timeNs(name, value);
    },
    filters(known) {
      const found = parseFilters(query.text('filters'));
      for (const key of Object.keys(found)) {
        if (known?.includes(key) === false) throw new BadRequest(`invalid filter '${key}'`);
      }
      return found;
    },
  };
  return query;
}

export function integerOf(name: string, value: string, [least, most]: Bounds = int32): number {
  const number = Number(value);
  if (!/^[+-]?\d+$/.test(value)) throw new BadRequest(`invalid ${name}: "${value}" is not a whole number`);
  if (number < least || number > most) {
    throw new BadRequest(`invalid ${name}: ${value} is not within ${least} and ${most}`);
  }
  return number;
}

function timeNs(name: string, value: string): bigint {
  const time = timeBefore(value);
  if (time === undefined)
    throw new BadRequest(`invalid ${name}: "${value}" is neither a time in seconds nor RFC 3339 nor a duration`);
  return time;
}

function parseFilters(text: string | undefined): Record<string, string[]> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRequest('invalid filter');
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new BadRequest('invalid filter');
  return Object.fromEntries(Object.entries(value).map(([key, values]) => [key, filterValues(key, values)]));
}

function filterValues(key: string, values: unknown): string[] {
  if (Array.isArray(values) && values.every((each) => typeof each === 'string')) return values;
  if (typeof values === 'object' && values !== null && !Array.isArray(values))
    return Object.entries(values).flatMap(([value, is]) => (is === true ? [value] : []));
  throw new BadRequest(`invalid filter '${key}': its values are not a list of texts`);
}

/** `key=value` filters as a map; without `=` the value is empty. */
export function labelMap(labels: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const at = label.indexOf('=');
      return at < 0 ? [label, ''] : [label.slice(0, at), label.slice(at + 1)];
    }),
  );
}

/** A filter that takes one truth value, as `dangling=true`. */
export function truthFilter(name: string, values: readonly string[] | undefined): boolean | undefined {
  if (values === undefined || values.length === 0) return undefined;
  const [value, other] = values;
  if (other === undefined && (value === 'true' || value === '1')) return true;
  if (other === undefined && (value === 'false' || value === '0')) return false;
  throw new BadRequest(`invalid filter '${name}=[${values.join(' ')}]'`);
}

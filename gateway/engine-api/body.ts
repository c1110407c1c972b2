import { BadRequest, notServed } from './errors.ts';

/**
 * Reads of a JSON body as Docker's clients write it: absent and null are the default, unknown fields are ignored, a wrong
 * type is a 400 that names the field.
 */
export interface Body {
  text(name: string): string;
  /** Undefined when absent or null. */
  optionalText(name: string): string | undefined;
  truth(name: string): boolean;
  optionalTruth(name: string): boolean | undefined;
  integer(name: string, bounds?: Bounds): number;
  optionalInteger(name: string, bounds?: Bounds): number | undefined;
  /** Nanoseconds and other 64-bit counts. */
  long(name: string): bigint;
  integers(name: string): number[];
  texts(name: string): string[];
  textLists(name: string): string[][];
  /** Undefined when absent or null: where that differs from an empty list. */
  optionalTexts(name: string): string[] | undefined;
  /** A text, a list of texts, or nothing: `Cmd` and `Entrypoint`. */
  command(name: string): string[] | undefined;
  textMap(name: string): Record<string, string>;
  /** The keys of a set that is written as an object with empty values. */
  keys(name: string): string[];
  object(name: string): Body;
  objects(name: string): Body[];
  entries(name: string): [string, Body[]][];
  has(name: string): boolean;
  /** Refuses, with 501, a field that is set to anything but its zero value. */
  refuseSet(...names: string[]): void;
}

/** What a number may be: both ends are allowed. */
export type Bounds = readonly [least: number, most: number];
export const int32: Bounds = [-(2 ** 31), 2 ** 31 - 1];
export const uint32: Bounds = [0, 2 ** 32 - 1];
const exact: Bounds = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

type Fields = Readonly<Record<string, unknown>>;

export function bodyOf(value: unknown, where = ''): Body {
  if (value === undefined || value === null) return fieldsBody({}, where);
  if (isObject(value)) return fieldsBody(value, where);
  throw new BadRequest(`${where || 'the request body'} must be an object`);
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fieldsBody(fields: Fields, where: string): Body {
  const named = (name: string) => (where === '' ? name : `${where}.${name}`);
  const wrong = (name: string, wanted: string) => new BadRequest(`invalid ${named(name)}: it must be ${wanted}`);
  // Go's decoder matches names without regard to case; an exact match goes first.
  const folded = new Map(Object.entries(fields).map(([key, value]) => [key.toLowerCase(), value]));
  const get = (name: string): unknown => fields[name] ?? folded.get(name.toLowerCase()) ?? undefined;

  function read<T>(name: string, wanted: string, is: (value: unknown) => value is T): T | undefined {
    const value = get(name);
    if (value === undefined || value === null) return undefined;
    if (is(value)) return value;
    throw wrong(name, wanted);
  }
  const isText = (value: unknown): value is string => typeof value === 'string';
  const isTruth = (value: unknown): value is boolean => typeof value === 'boolean';
  const isInteger = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value);
  const isIntegers = (value: unknown): value is number[] => Array.isArray(value) && value.every(isInteger);
  const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
  const isTextLists = (value: unknown): value is string[][] => Array.isArray(value) && value.every(isTexts);
  const isList = (value: unknown): value is unknown[] => Array.isArray(value);
  const isTextMap = (value: unknown): value is Record<string, string> =>
    isObject(value) && Object.values(value).every(isText);

  function readInteger(name: string, [least, most]: Bounds = exact): number | undefined {
    const value = read(name, 'a whole number', isInteger);
    if (value !== undefined && (value < least || value > most)) {
      throw wrong(name, `a whole number from ${least} to ${most}`);
    }
    return value;
  }

  const body: Body = {
    text: (name) => read(name, 'a text', isText) ?? '',
    optionalText: (name) => read(name, 'a text', isText),
    truth: (name) => read(name, 'true or false', isTruth) ?? false,
    optionalTruth: (name) => read(name, 'true or false', isTruth),
    integer: (name, bounds) => readInteger(name, bounds) ?? 0,
    optionalInteger: readInteger,
    long: (name) => BigInt(readInteger(name) ?? 0),
    integers: (name) => read(name, 'a list of whole numbers', isIntegers) ?? [],
    texts: (name) => read(name, 'a list of texts', isTexts) ?? [],
    textLists: (name) => read(name, 'a list of lists of texts', isTextLists) ?? [],
    optionalTexts: (name) => read(name, 'a list of texts', isTexts),
    command(name) {
      const value = get(name);
      if (typeof value === 'string') return value === '' ? [] : [value];
      return body.optionalTexts(name);
    },
    textMap: (name) => read(name, 'an object of texts', isTextMap) ?? {},
    keys: (name) => Object.keys(read(name, 'an object', isObject) ?? {}),
    object: (name) => fieldsBody(read(name, 'an object', isObject) ?? {}, named(name)),
    objects: (name) => (read(name, 'a list', isList) ?? []).map((each, at) => bodyOf(each, `${named(name)}[${at}]`)),
    entries: (name) =>
      Object.entries(read(name, 'an object', isObject) ?? {}).map(([key, value]) => {
        const list = value === null ? [] : Array.isArray(value) ? value : [value];
        return [key, list.map((each) => bodyOf(each, `${named(name)}[${key}]`))];
      }),
    has: (name) => (get(name) ?? null) !== null,
    refuseSet(...names) {
      for (const name of names) if (!isZero(get(name))) throw notServed(named(name));
    },
  };
  return body;
}

/** As Go's clients leave out a field, or send it although it was not set. */
function isZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isZero);
  return value === undefined || value === null || value === '' || value === 0 || value === false;
}

import { randomInt } from 'node:crypto';
import { errors } from '../errors.ts';

const wellFormed = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** What a file or a DNS name could be. */
const longest = 255;

/** The name without its slash. BAD_NAME. */
export function checkedName(name: string): string {
  if (name.length > longest) throw errors.badName({ name: `${name.slice(0, longest)}…` });
  if (!wellFormed.test(name)) throw errors.badName({ name });
  return name.replace(/^\//, '');
}

// biome-ignore format: a list of words is read best as a block
const adjectives = [
  'amber', 'bold', 'brave', 'bright', 'calm', 'candid', 'clever', 'curious', 'dapper', 'eager', 'earnest', 'fearless',
  'gentle', 'gifted', 'hardy', 'hopeful', 'humble', 'jolly', 'keen', 'kind', 'lively', 'lucid', 'merry', 'mindful',
  'modest', 'nimble', 'noble', 'patient', 'plucky', 'polite', 'quiet', 'radiant', 'serene', 'sharp', 'steady', 'sunny',
  'swift', 'tender', 'thrifty', 'tidy', 'upbeat', 'valiant', 'vivid', 'wise', 'witty', 'zealous',
];

// biome-ignore format: a list of words is read best as a block
const scientists = [
  'agnesi', 'avogadro', 'bassi', 'bell', 'boole', 'carson', 'cavendish', 'chandrasekhar', 'chatelet', 'copernicus',
  'curie', 'dirac', 'drake', 'euler', 'faraday', 'fermi', 'franklin', 'galois', 'gauss', 'germain', 'goodall', 'hamilton',
  'hertz', 'herschel', 'hopper', 'hypatia', 'joliot', 'kepler', 'khayyam', 'kovalevskaya', 'lamarr', 'leavitt',
  'linnaeus', 'lovelace', 'mayer', 'maxwell', 'mcclintock', 'meitner', 'mendel', 'mitchell', 'noether', 'oersted',
  'pascal', 'payne', 'planck', 'raman', 'ramanujan', 'rubin', 'sagan', 'somerville', 'tesla', 'turing', 'volta',
  'wu', 'yonath',
];

const tries = 6;

/** A name that `isTaken` does not know: `keen_noether`, then with a digit, at last the beginning of the id. */
export function generatedName(id: string, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const name = `${pick(adjectives)}_${pick(scientists)}${attempt === 0 ? '' : randomInt(10)}`;
    if (!isTaken(name)) return name;
  }
  return id.slice(0, 12);
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? '';
}

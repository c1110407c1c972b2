/** Repeatable chance: the seed is printed, and LONGSHORE_SEED gives it back. */
export function seeded(name: string): { seed: number; between(low: number, high: number): number } {
  const seed = Number(process.env.LONGSHORE_SEED ?? Date.now() % 2 ** 31);
  console.log(`# ${name}: seed ${seed} (LONGSHORE_SEED=${seed} repeats it)`);
  let state = seed || 1;
  // xorshift32 (Marsaglia 2003).
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return { seed, between: (low, high) => low + Math.floor(next() * (high - low)) };
}

/** `npm run test:soak` runs the full counts, `npm test` a twentieth. */
export const soak = process.env.LONGSHORE_SOAK === '1';
export const times = (full: number): number => (soak ? full : Math.max(1, Math.ceil(full / 20)));

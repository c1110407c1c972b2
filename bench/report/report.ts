import type { Figure, Name } from '../figure.ts';

/** A finished run. */
export interface Report {
  /** ISO 8601. */
  readonly date: string;
  readonly host: {
    readonly kernel: string;
    readonly processor: string;
    readonly cores: number;
    readonly memoryMiB: number;
    readonly cgroups: string;
    /** Program → version, of those that are installed. */
    readonly programs: Readonly<Record<string, string>>;
  };
  /** Those that took part, with their titles. */
  readonly contestants: Readonly<Partial<Record<Name, string>>>;
  readonly figures: readonly Figure[];
}

/** In words, what the figures were taken on. */
export function machine({ host }: Report): string {
  const memory = `${Math.round(host.memoryMiB / 1024)} GiB`;
  return `${host.cores} cores of ${host.processor}, ${memory}, Linux ${host.kernel}, ${host.cgroups}`;
}

export function programs({ host }: Report): string {
  return Object.entries(host.programs)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

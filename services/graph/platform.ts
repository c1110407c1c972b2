import { errors } from './errors.ts';

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

/** This host's architecture as image configs call it (Go's GOARCH). */
export function hostArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** `os/arch[/variant]`, or `arch` alone; empty: this host's. */
export function parsePlatform(text: string): Platform {
  if (text === '') return { os: 'linux', architecture: hostArchitecture() };
  const parts = text.split('/');
  const [first = '', second, variant, ...more] = parts;
  if (more.length > 0 || parts.some((part) => !/^[a-z0-9_.-]+$/i.test(part))) {
    throw errors.badRequest({ field: 'platform', problem: `${text} is not os/architecture` });
  }
  if (second === undefined && first !== 'linux') return { os: 'linux', architecture: first };
  if (first !== 'linux') throw errors.platformUnsupported({ os: first });
  return { os: first, architecture: second ?? hostArchitecture(), ...(variant !== undefined && { variant }) };
}

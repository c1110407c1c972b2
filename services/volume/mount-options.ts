import { errors } from './errors.ts';

/** What `--opt type=… --opt o=… --opt device=…` says: the mount that holds the volume's files. */
export interface VolumeMount {
  type: string;
  device: string;
  /** As mount(8) takes them after `-o`. */
  options: string;
}

/** Each needs the others named here, as with Docker. */
const needs: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  o: ['type', 'device'],
  device: ['type'],
};

/** Undefined: the volume is a plain directory. BAD_OPTION. */
export function volumeMountOf(name: string, given: Readonly<Record<string, string>>): VolumeMount | undefined {
  const refuse = (problem: string) => errors.badOption({ name, problem });
  const options = new Map(Object.entries(given).filter(([, value]) => value !== ''));
  for (const [key, value] of options) {
    if (key === 'size') throw refuse('quota size requested but no quota support');
    if (!Object.hasOwn(needs, key)) throw refuse(`invalid option: "${key}"`);
    if (/\p{Cc}/u.test(value)) throw refuse(`option ${key} has control characters in it`);
  }
  for (const key of options.keys()) {
    const missing = needs[key]?.find((other) => !options.has(other));
    if (missing !== undefined) throw refuse(`missing required option: "${missing}"`);
  }
  const [type, device] = [options.get('type'), options.get('device')];
  if (type === undefined || device === undefined) return undefined;
  return { type, device, options: options.get('o') ?? '' };
}

/** Kinds of file systems that name their server by `addr=`, which the kernel wants as a number. */
const networkTypes = new Set(['nfs', 'nfs4', 'cifs']);

/** The server's name, where a network file system names one. */
export function serverNameOf(mount: VolumeMount): string | undefined {
  if (!networkTypes.has(mount.type)) return undefined;
  return mount.options
    .split(',')
    .find((option) => option.startsWith('addr='))
    ?.slice('addr='.length);
}

export function withServerAddress(mount: VolumeMount, address: string): VolumeMount {
  const options = mount.options.split(',').map((option) => (option.startsWith('addr=') ? `addr=${address}` : option));
  return { ...mount, options: options.join(',') };
}

import { capabilityNames } from '../../../kit/linux/capabilities.ts';
import { errors } from '../errors.ts';

/** Every one that Linux knows. */
const known: readonly string[] = capabilityNames;

/** What a container holds when nobody asks for more or less. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

export interface CapabilityWish {
  privileged: boolean;
  add: readonly string[];
  drop: readonly string[];
}

/**
 * What a container holds, of what the engine itself holds (`held`). Names come with or without `CAP_`, in any case; `ALL`
 * stands for all that are held. Asking for one that the engine lacks is an error, as is an unknown one; but the defaults and
 * `ALL` are only what can be had, so that a privileged container also runs where the engine itself is confined.
 */
export function capabilitiesFor(wish: CapabilityWish, held: readonly string[]): string[] {
  if (wish.privileged) return [...held];
  const add = wish.add.map((name) => normalise(name, 'cap_add', held));
  const drop = wish.drop.map((name) => normalise(name, 'cap_drop', known));
  if (add.includes('ALL')) return held.filter((name) => !drop.includes(name));
  const kept = drop.includes('ALL')
    ? []
    : defaultCapabilities.filter((name) => held.includes(name) && !drop.includes(name));
  return [...new Set([...kept, ...add])];
}

function normalise(given: string, field: string, available: readonly string[]): string {
  const upper = given.toUpperCase();
  if (upper === 'ALL') return upper;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!known.includes(name)) {
    throw errors.badSpec({ field, detail: `invalid capability: unknown capability: ${JSON.stringify(name)}` });
  }
  if (!available.includes(name)) {
    const detail = `invalid capability: capability not supported by your kernel or not available in the current environment: ${JSON.stringify(name)}`;
    throw errors.badSpec({ field, detail });
  }
  return name;
}

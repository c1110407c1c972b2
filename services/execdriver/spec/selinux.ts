import { createHash } from 'node:crypto';
import { errors } from '../errors.ts';

export interface SelinuxLabels {
  process: string;
  mount: string;
}

const parts = ['user', 'role', 'type', 'level'] as const;
type Part = (typeof parts)[number];

/**
 * The labels of a container whose user gave `--security-opt label=…`: `disable`, or `user:`, `role:`, `type:`, `level:` with a
 * value, each in the place of a part of the usual label. The level is the container's own, by its id. BAD_SPEC.
 */
export function selinuxLabels(options: readonly string[], id: string): SelinuxLabels | undefined {
  if (options.length === 0 || options.includes('disable')) return undefined;
  const label: Record<Part, string> = {
    user: 'system_u',
    role: 'system_r',
    type: 'container_t',
    level: `s0:${categoriesOf(id)}`,
  };
  for (const option of options) {
    const [, name, value] = /^([a-z]+):(.+)$/.exec(option) ?? [];
    const part = parts.find((each) => each === name);
    if (part === undefined || value === undefined) {
      const detail = `bad label option ${JSON.stringify(option)}, valid options 'disable' or 'user, role, level, type, filetype' followed by ':' and a value`;
      throw errors.badSpec({ field: 'confinement.selinux', detail });
    }
    label[part] = value;
  }
  const process = parts.map((part) => label[part]).join(':');
  return { process, mount: `system_u:object_r:container_file_t:${label.level}` };
}

/** Two different categories of the thousand and twenty-four, the lower one first: what keeps containers from each other. */
function categoriesOf(id: string): string {
  const digest = createHash('sha256').update(id).digest();
  const first = digest.readUInt16LE(0) % 1024;
  const second = (first + 1 + (digest.readUInt16LE(2) % 1023)) % 1024;
  return `c${Math.min(first, second)},c${Math.max(first, second)}`;
}

import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';

/** A name for an interface and addresses that nobody else uses here. */
export interface BridgePlan {
  readonly name: string;
  /** The bridge's own address, with its prefix length. */
  readonly address: string;
  readonly gateway: string;
  readonly subnet: string;
}

export function planBridge(): BridgePlan {
  const net = `10.${randomInt(100, 250)}.${randomInt(0, 256)}`;
  const name = `lsb${randomBytes(4).toString('hex')}`;
  return { name, address: `${net}.1/24`, gateway: `${net}.1`, subnet: `${net}.0/24` };
}

export function addBridge({ name, address }: BridgePlan): void {
  execFileSync('ip', ['link', 'add', name, 'type', 'bridge']);
  execFileSync('ip', ['address', 'add', address, 'dev', name]);
  execFileSync('ip', ['link', 'set', name, 'up']);
}

export function removeBridge({ name }: BridgePlan): void {
  try {
    execFileSync('ip', ['link', 'delete', name], { stdio: 'ignore' });
  } catch {
    // The engine has removed it itself.
  }
}

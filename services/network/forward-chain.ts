import type { Kernel } from './kernel.ts';

/**
 * Rules in iptables' own FORWARD chain. Other engines set that chain's policy to drop, at any time, and it then drops what
 * our table has accepted. So our bridge is accepted there too, from the start; what may pass is decided in our table.
 */
function rulesFor(bridge: string, comment: string): string[][] {
  const mark = ['-m', 'comment', '--comment', comment, '-j', 'ACCEPT'];
  return [
    ['-i', bridge, ...mark],
    ['-o', bridge, ...mark],
  ];
}

export const forwardComment = (engineId: string): string => `longshore:${engineId}:forward`;

/** Inserts the rules that are missing and removes ours of another bridge. Without iptables there is no such chain. */
export async function acceptForwarding(kernel: Kernel, bridge: string, comment: string): Promise<void> {
  const { iptables } = kernel;
  if (iptables === undefined) return;
  const present = await ourRules(kernel, comment);
  const isFor = (rule: string[]) => present.some((line) => interfaceOf(line) === `${rule[0]} ${rule[1]}`);
  for (const line of present) {
    if (!interfaceOf(line).endsWith(` ${bridge}`)) await iptables(['-w', ...deletion(line)]);
  }
  for (const rule of rulesFor(bridge, comment).filter((each) => !isFor(each))) {
    await iptables(['-w', '-I', 'FORWARD', ...rule]);
  }
}

/** Removes every rule that carries the comment. */
export async function withdrawForwarding(kernel: Kernel, comment: string): Promise<void> {
  const { iptables } = kernel;
  if (iptables === undefined) return;
  for (const line of await ourRules(kernel, comment)) await iptables(['-w', ...deletion(line)]);
}

/** As `iptables -S` prints them: `-A FORWARD -i br0 -m comment --comment "…" -j ACCEPT`. */
async function ourRules(kernel: Kernel, comment: string): Promise<string[]> {
  const listed = (await kernel.iptables?.(['-w', '-S', 'FORWARD'])) ?? '';
  return listed.split('\n').filter((line) => line.startsWith('-A FORWARD ') && words(line).includes(comment));
}

function words(line: string): string[] {
  return line.split(' ').map((word) => word.replace(/^"(.*)"$/, '$1'));
}

function deletion(line: string): string[] {
  return ['-D', ...words(line).slice(1)];
}

function interfaceOf(line: string): string {
  return /-[io] \S+/.exec(line)?.[0] ?? '';
}

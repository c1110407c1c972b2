import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What an engine may leave on a machine, as sorted lines of text, to be compared before and after. */
export interface MachineState {
  links: string[];
  rules: string[];
  mounts: string[];
  cgroups: string[];
  processes: string[];
  namespaces: string[];
}

/** Reads the state of the machine, only what speaks of `marks`: roots, bridge names, engine ids. */
export function machineState(marks: readonly string[]): MachineState {
  const ours = (line: string) => marks.some((mark) => line.includes(mark));
  const lines = (text: string) => text.split('\n').filter(ours).sort();
  return {
    links: lines(run('ip', ['-d', '-o', 'link', 'show'])),
    rules: [...lines(run('nft', ['list', 'ruleset'])), ...lines(run('iptables-save', []))],
    mounts: lines(readFileSync('/proc/self/mountinfo', 'utf8')),
    cgroups: cgroupFolders().filter(ours).sort(),
    processes: processes().filter(ours).sort(),
    namespaces: lines(run('ip', ['netns', 'list'])),
  };
}

export const nothing: MachineState = { links: [], rules: [], mounts: [], cgroups: [], processes: [], namespaces: [] };

function run(file: string, args: string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 });
  } catch {
    // Not installed here: then it holds nothing either.
    return '';
  }
}

function cgroupFolders(): string[] {
  const found: string[] = [];
  const walk = (folder: string, depth: number) => {
    let names: string[];
    try {
      names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [entry.name] : [],
      );
    } catch {
      // Gone between the listing and now.
      return;
    }
    for (const name of names) {
      found.push(`${folder}/${name}`);
      if (depth > 0) walk(`${folder}/${name}`, depth - 1);
    }
  };
  walk('/sys/fs/cgroup', 4);
  return found;
}

/** `pid command line`, of everything that runs. */
export function processes(): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return words === '' ? [] : [`${name} ${words}`];
    } catch {
      return [];
    }
  });
}

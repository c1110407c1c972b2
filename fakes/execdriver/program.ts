import { setTimeout as delay } from 'node:timers/promises';

export type Stream = 'stdout' | 'stderr';

/** What a process of a fake has of the world. */
export interface World {
  write(stream: Stream, bytes: Buffer | string): void;
  /** Ends with the input. */
  input: AsyncIterableIterator<Buffer>;
  /** Aborted when it is killed; nothing of it is heard any more. */
  killed: AbortSignal;
}

/** Runs to its exit code. */
export type Program = (world: World) => Promise<number>;

type Command = (args: readonly string[], world: World) => Promise<number> | number;

/** Ends a shell: `exit N`. */
class Exit {
  readonly code: number;

  constructor(code: number) {
    this.code = code;
  }
}

const commands: Readonly<Record<string, Command>> = {
  true: () => 0,
  ':': () => 0,
  false: () => 1,
  exit(args) {
    throw new Exit(Number(args[0] ?? 0) & 255);
  },
  echo(args, world) {
    const toStderr = args.at(-1) === '>&2';
    const withEnd = args[0] !== '-n';
    const words = args.slice(withEnd ? 0 : 1, toStderr ? -1 : undefined);
    world.write(toStderr ? 'stderr' : 'stdout', `${words.join(' ')}${withEnd ? '\n' : ''}`);
    return 0;
  },
  async sleep([duration = ''], world) {
    const seconds = duration === 'infinity' ? Number.POSITIVE_INFINITY : Number.parseFloat(duration);
    if (Number.isNaN(seconds)) return 1;
    // setTimeout takes no more than 31 bits.
    await delay(Math.min(seconds * 1000, 2 ** 31 - 1), undefined, { signal: world.killed, ref: false });
    return 0;
  },
  async cat(_args, world) {
    for await (const bytes of world.input) world.write('stdout', bytes);
    return 0;
  },
  sh: (args, world) => (args[0] === '-c' ? runScript(args[1] ?? '', world) : runInput(world)),
};

const directories = ['/', '/bin', '/etc', '/tmp', '/usr', '/var'];

/** A few commands by their names or paths in /bin and /usr/bin. */
export function programOf(args: readonly string[]): Program | 'not found' | 'not executable' {
  const [path = '', ...rest] = args;
  if (directories.includes(path)) return 'not executable';
  const name = nameOf(path);
  const command = name === 'exit' || name === ':' ? undefined : commands[name];
  return command === undefined ? 'not found' : (world) => exitCodeOf(() => command(rest, world));
}

function nameOf(path: string): string {
  const name = path.replace(/^(\/usr)?\/bin\//, '');
  return name === 'ash' || name === 'bash' ? 'sh' : name;
}

async function exitCodeOf(run: () => Promise<number> | number): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

/** Commands one after the other, apart by `;`, a line's end or `&&`. */
async function runScript(script: string, world: World): Promise<number> {
  let status = 0;
  for (const [, joint, line = ''] of script.matchAll(/(;|\n|&&|^)((?:'[^']*'|"[^"]*"|&(?!&)|[^;\n&'"])*)/g)) {
    if (joint === '&&' && status !== 0) continue;
    const [name, ...args] = words(line);
    if (name === undefined) continue;
    const command = Object.hasOwn(commands, nameOf(name)) ? commands[nameOf(name)] : undefined;
    if (command === undefined) world.write('stderr', `sh: ${name}: not found\n`);
    status = (await command?.(args, world)) ?? 127;
  }
  return status;
}

/** A shell at its terminal or pipe: each line is run as it comes. */
async function runInput(world: World): Promise<number> {
  let status = 0;
  let rest = '';
  for await (const bytes of world.input) {
    const lines = `${rest}${bytes}`.split(/\r?\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) status = await runScript(line, world);
  }
  return rest === '' ? status : runScript(rest, world);
}

function words(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}

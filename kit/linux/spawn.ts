import { ffi } from './ffi.ts';
import { check, closeDescriptor, cpath, libc, OpenFlag, openDescriptor, syscall } from './libc.ts';
import { streamOver } from './stream.ts';
import { SystemError } from './system-error.ts';

export type Command = {
  /** An absolute path; also argv[0]. */
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it starts; ours if left out. */
  readonly cwd?: string;
  /**
   * Its descriptors: the position is the number there, the value ours, which stays open here. A hole is `/dev/null` for
   * 0 to 2 and closed above. It gets no other descriptor.
   */
  readonly fds?: readonly (number | undefined)[];
};

export type Child = {
  readonly pid: number;
  /** The exit code, 128 + n after signal n. Rejects only if somebody else took the child's status. */
  readonly exited: Promise<number>;
};

/**
 * Starts processes without copying this one's page tables (posix_spawn, vfork's semantics), so that the cost doesn't
 * grow with our heap. Each leads a session of its own, with default signal actions and no signal blocked.
 */
export interface Processes {
  /** Throws a SystemError (ENOENT, EACCES …) when the file cannot be executed. */
  spawn(command: Command): Child;
}

// glibc's types are 80 and 336 bytes on 64-bit machines; there is room for more.
const FILE_ACTIONS_SIZE = 256;
const ATTRIBUTES_SIZE = 1024;
const SIGSET_SIZE = 128;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const F_DUPFD_CLOEXEC = 1030;
const WNOHANG = 1;
const EAGAIN = 11;

let attributes: Buffer | undefined;

/** Made once a thread. Signals go back to default since Node ignores SIGPIPE, which a child would inherit. */
function spawnAttributes(): Buffer {
  if (attributes) return attributes;
  const made = Buffer.alloc(ATTRIBUTES_SIZE);
  const [all, none] = [Buffer.alloc(SIGSET_SIZE), Buffer.alloc(SIGSET_SIZE)];
  libc.sigfillset(all);
  libc.sigemptyset(none);
  libc.posix_spawnattr_init(made);
  libc.posix_spawnattr_setsigdefault(made, all);
  libc.posix_spawnattr_setsigmask(made, none);
  libc.posix_spawnattr_setflags(made, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  attributes = made;
  return made;
}

/** A `char *const []`: the pointers, ended by a null one, and behind them, in the same memory, what they point to. */
function stringVector(texts: readonly string[]): Buffer {
  for (const text of texts) cpath(text, 'posix_spawn');
  const strings = Buffer.from(texts.map((text) => `${text}\0`).join(''));
  const size = 8 * (texts.length + 1);
  const vector = Buffer.concat([Buffer.alloc(size), strings]);
  let address = ffi.getRawPointer(vector) + BigInt(size);
  texts.forEach((text, index) => {
    vector.writeBigUInt64LE(address, index * 8);
    address += BigInt(Buffer.byteLength(text) + 1);
  });
  return vector;
}

/** posix_spawn returns its error instead of setting errno. */
function expectZero(error: number, path: string): void {
  if (error !== 0) throw new SystemError('posix_spawn', error, path);
}

function posixSpawn(command: Command): number {
  const { file, cwd } = command;
  const fds = command.fds ?? [];
  const count = Math.max(3, fds.length);
  const actions = Buffer.alloc(FILE_ACTIONS_SIZE);
  const opened: number[] = [];
  expectZero(libc.posix_spawn_file_actions_init(actions), file);
  try {
    if (cwd !== undefined) expectZero(libc.posix_spawn_file_actions_addchdir_np(actions, cwd), cwd);
    for (let target = 0; target < count; target++) {
      let source = fds[target];
      if (source === undefined && target > 2) continue;
      if (source === undefined) {
        source = openDescriptor('/dev/null', OpenFlag.RDWR);
        opened.push(source);
      }
      if (source < count) {
        // An earlier dup2 of the child may land on it: give it a number that no dup2 lands on.
        source = check(libc.fcntl(source, F_DUPFD_CLOEXEC, count), 'fcntl', `descriptor ${source}`);
        opened.push(source);
      }
      expectZero(libc.posix_spawn_file_actions_adddup2(actions, source, target), file);
    }
    expectZero(libc.posix_spawn_file_actions_addclosefrom_np(actions, count), file);
    const argv = stringVector([file, ...command.args]);
    const envp = stringVector(Object.entries(command.env).map(([name, value]) => `${name}=${value}`));
    const pid = Buffer.alloc(4);
    expectZero(libc.posix_spawn(pid, file, actions, spawnAttributes(), argv, envp), file);
    return pid.readInt32LE(0);
  } finally {
    libc.posix_spawn_file_actions_destroy(actions);
    for (const fd of opened) closeDescriptor(fd);
  }
}

/** Takes the status of a child that has ended, waitpid(2): its exit code, or 128 + n after signal n. */
function reap(pid: number, options: number): number {
  const status = Buffer.alloc(4);
  const ended = check(libc.waitpid(pid, status, options), 'waitpid', `${pid}`);
  if (ended === 0) throw new SystemError('waitpid', EAGAIN, `${pid}`, 'still running');
  const word = status.readInt32LE(0);
  const signal = word & 0x7f;
  return signal === 0 ? (word >> 8) & 0xff : 128 + signal;
}

/**
 * The event loop watches a pidfd, which becomes readable when the process ends (pidfd_open(2)). Reading it is EINVAL,
 * always: that error is the news.
 */
function exitOf(pid: number): Promise<number> {
  const pidfd = check(syscall('pidfd_open', pid, 0), 'pidfd_open', `${pid}`);
  const { promise, resolve } = Promise.withResolvers<void>();
  const watch = streamOver(pidfd, { readable: true });
  watch.once('error', () => {});
  watch.once('close', resolve);
  watch.resume();
  const exited = promise.then(() => reap(pid, WNOHANG));
  exited.catch(() => {}); // whoever wants the exit code hears of it
  return exited;
}

function spawn(command: Command): Child {
  const pid = posixSpawn(command);
  try {
    return { pid, exited: exitOf(pid) };
  } catch (error) {
    // No descriptor left to watch it by: it must not run unseen.
    process.kill(pid, 'SIGKILL');
    reap(pid, 0);
    throw error;
  }
}

/** The real thing. */
export function createProcesses(): Processes {
  return { spawn };
}

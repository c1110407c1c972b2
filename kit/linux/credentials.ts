import { ffi } from './ffi.ts';

const { functions: libc } = ffi.dlopen('libc.so.6', {
  setfsuid: { arguments: ['int32'], return: 'int32' },
  setfsgid: { arguments: ['int32'], return: 'int32' },
  prctl: { arguments: ['int32', 'uint64', 'uint64', 'uint64', 'uint64'], return: 'int32' },
});

const PR_SET_SECUREBITS = 28;
/** Capabilities stay when a thread becomes somebody else: capabilities(7). */
const SECBIT_NO_SETUID_FIXUP = 4n;

const secureBits = (bits: bigint) => libc.prctl(PR_SET_SECUREBITS, bits, 0n, 0n, 0n);

/**
 * Makes this thread somebody else to file systems, with all the capabilities that it has: what it makes is theirs from the
 * first moment, which a mount with id maps asks for. Only this thread is changed (setfsuid(2)); it is for threads that end
 * with their work.
 */
export function becomeFileOwner({ uid, gid }: { uid: number; gid: number }): void {
  if (secureBits(SECBIT_NO_SETUID_FIXUP) !== 0)
    throw new Error('this process may not keep its capabilities (CAP_SETPCAP)');
  libc.setfsgid(gid);
  libc.setfsuid(uid);
}

/** The same for one action, which must not wait for anything. */
export function asFileOwner<Result>(owner: { uid: number; gid: number }, action: () => Result): Result {
  if (owner.uid === 0 && owner.gid === 0) return action();
  becomeFileOwner(owner);
  try {
    return action();
  } finally {
    libc.setfsuid(0);
    libc.setfsgid(0);
    secureBits(0n);
  }
}

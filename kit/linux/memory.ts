import { libc } from './libc.ts';

/** Gives the free pages of malloc's heap back to the kernel (malloc_trim(3)); they would stay with the process otherwise. */
export function trimHeap(): void {
  libc.malloc_trim(0n);
}

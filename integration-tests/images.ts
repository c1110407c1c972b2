import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from './engine.ts';

const applets = [
  'sh',
  'true',
  'false',
  'echo',
  'cat',
  'sleep',
  'ls',
  'id',
  'hostname',
  'env',
  'seq',
  'stty',
  'nc',
  'wget',
  'httpd',
  'ip',
  'ps',
  'kill',
  'mount',
  'touch',
  'test',
  'head',
  'tail',
  'md5sum',
  'pwd',
  'dd',
  'grep',
  'awk',
  'unshare',
  'chown',
  'stat',
  'mkdir',
  'date',
  'rm',
  'yes',
  'tr',
  'tee',
  'nproc',
  'free',
  'ping',
]; // prettier-ignore

/** A tar of a small root filesystem: static busybox, a few users, a directory with content for volumes to copy. */
export function busyboxTar(): Buffer {
  const root = mkdtempSync(join(tmpdir(), 'ls-image-'));
  try {
    for (const folder of ['bin', 'etc', 'tmp', 'home/dock', 'var/seed'])
      mkdirSync(join(root, folder), { recursive: true });
    chmodSync(root, 0o755);
    cpSync('/bin/busybox', join(root, 'bin/busybox'), { dereference: true });
    for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\ndock:x:1000:1000::/home/dock:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\ndock:x:1000:\nextra:x:2000:dock\n');
    writeFileSync(join(root, 'var/seed/file'), 'from the image\n');
    writeFileSync(join(root, 'etc/not-executable'), 'x\n', { mode: 0o644 });
    return execFileSync('tar', ['-c', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '-C', root, '.'], {
      maxBuffer: 1 << 28,
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Gives the engine an image called `busybox`. */
export async function importBusybox(engine: Engine): Promise<void> {
  await engine.dockerWith(busyboxTar(), 'import', '--change', 'CMD ["sh"]', '-', 'busybox');
}

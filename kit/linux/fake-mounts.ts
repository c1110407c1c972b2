import type { Calls } from './fake-calls.ts';
import type { Mount } from './mountinfo.ts';
import { MountFlag, type Mounts } from './mounts.ts';

type Seen = Partial<Pick<Mount, 'options' | 'filesystemOptions'>>;

/** A mount table in memory. Nothing appears in the file system: what is read below a target is the target's own. */
export function createFakeMounts(calls: Calls): Mounts {
  let mounts: Mount[] = [];
  let lastId = 0;

  function add(source: string, target: string, type: string, seen: Seen = {}): void {
    const id = ++lastId;
    const same = { parent: 0, device: '0:0', root: '/', propagation: [], options: ['rw'], filesystemOptions: [] };
    mounts.push({ ...same, id, source, target, type, ...seen });
  }

  function setPropagation(target: string, propagation: readonly string[]): void {
    mounts = mounts.map((mount) => (mount.target === target ? { ...mount, propagation } : mount));
  }

  function unmount(target: string): boolean {
    const top = mounts.findLast((mount) => mount.target === target);
    mounts = mounts.filter((mount) => mount !== top);
    return top !== undefined;
  }

  return {
    mount(source, target, type, flags = 0, data = '') {
      calls.record('mounts.mount', source, target, type, flags, data);
      const options = [flags & MountFlag.RDONLY ? 'ro' : 'rw'];
      add(source, target, flags & MountFlag.BIND ? 'bind' : type, { options, filesystemOptions: data.split(',') });
    },
    mountOverlay(overlay) {
      calls.record('mounts.mountOverlay', overlay);
      const filesystemOptions = overlay.lower.map((path) => `lowerdir+=${path}`);
      if (overlay.upper !== undefined) filesystemOptions.push(`upperdir=${overlay.upper}`);
      if (overlay.work !== undefined) filesystemOptions.push(`workdir=${overlay.work}`);
      add('overlay', overlay.target, 'overlay', { filesystemOptions });
    },
    bind(source, target, options = {}) {
      calls.record('mounts.bind', source, target, options);
      add(source, target, 'bind', { options: [options.readOnly ? 'ro' : 'rw'] });
    },
    unmount(target, options = {}) {
      calls.record('mounts.unmount', target, options);
      return unmount(target);
    },
    detach(target) {
      calls.record('mounts.detach', target);
      return unmount(target) ? Promise.resolve() : undefined;
    },
    makePrivate(target) {
      calls.record('mounts.makePrivate', target);
      setPropagation(target, []);
    },
    makeShared(target) {
      calls.record('mounts.makeShared', target);
      setPropagation(target, ['shared:1']);
    },
    list(under = '/') {
      const prefix = under.endsWith('/') ? under : `${under}/`;
      return mounts.filter(({ target }) => target === under || target.startsWith(prefix));
    },
  };
}

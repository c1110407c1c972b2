import type { BootListener } from './newdaemon/boot.ts';

/** A readable line for each boot step as it ends, on stderr: `12 ms  load graph driver  overlay2 (used before)`. */
export function bootLines(write: (line: string) => void): BootListener {
  return {
    report({ step, outcome, durationNs, detail }) {
      if (outcome === 'begun') return;
      const milliseconds = (Number(durationNs) / 1e6).toFixed(0).padStart(5);
      const mark = outcome === 'done' ? ' ' : outcome === 'failed' ? '✗' : '↶';
      write(`${mark}${milliseconds} ms  ${step.padEnd(30)}  ${detail}`.trimEnd());
    },
  };
}

/** What to try next, once the engine is up. */
export function welcome(host: string, milliseconds: number, liveRestore: boolean): string {
  return `
Longshore is up (${milliseconds} ms). Try, in another terminal:

  export DOCKER_HOST=${host}
  docker version
  tar -c -C /bin busybox | docker import -c 'ENTRYPOINT ["/busybox"]' - hello && docker run --rm hello echo it works
  docker ps -a

Ctrl-C ends it${liveRestore ? '; containers that run go on (--live-restore)' : ' and its containers'}.
`;
}

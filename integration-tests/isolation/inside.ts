import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { type Answer, bootEngine, type Engine } from '../engine.ts';
import { importBusybox } from '../images.ts';
import { nothing } from '../machine.ts';

export interface Inside {
  readonly engine: Engine;
  /** What a shell script says in a container with these options, stdout and stderr together. */
  inside(options: readonly string[], script: string): Promise<string>;
  /** As `inside`, but tells how it ended. */
  attempt(options: readonly string[], script?: string): Promise<Answer>;
  /** A container that runs until the end of the tests. Gives its id. */
  running(name: string, ...options: string[]): Promise<string>;
  inspect(name: string, format: string): Promise<string>;
}

/** An engine for the tests of a file, gone without a trace after them. */
export function engineForTests(flags: string[] = []): Inside {
  let engine: Engine;
  before(async () => {
    engine = await bootEngine({ flags });
    await importBusybox(engine);
  });
  after(async () => {
    await engine.dispose();
    assert.deepEqual(engine.state(), nothing);
  });
  const attempt = (options: readonly string[], script = 'true') =>
    engine.docker('run', '--rm', ...options, 'busybox', 'sh', '-c', `exec 2>&1; ${script}`);
  return {
    get engine() {
      return engine;
    },
    attempt,
    async inside(options, script) {
      const { code, stdout, stderr } = await attempt(options, script);
      if (code >= 125) throw new Error(`docker run ${options.join(' ')}: ${code} ${stderr}`);
      return stdout.trimEnd();
    },
    async running(name, ...options) {
      const args = ['run', '-d', '--stop-timeout', '0', '--name', name, ...options, 'busybox', 'sleep', '10000'];
      return (await engine.dockerWith(undefined, ...args)).trim();
    },
    async inspect(name, format) {
      return (await engine.dockerWith(undefined, 'inspect', '-f', format, name)).trim();
    },
  };
}

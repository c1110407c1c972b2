import type { BootListener } from './newdaemon/boot.ts';

/** For tests of the rollback: the boot fails right after the step that LONGSHORE_FAIL_AFTER names. */
export function failpoint(environment: NodeJS.ProcessEnv): BootListener {
  const wanted = environment.LONGSHORE_FAIL_AFTER;
  return {
    report({ step, outcome }) {
      if (wanted !== undefined && outcome === 'done' && step === wanted)
        throw new Error(`failed on purpose after: ${step}`);
    },
  };
}

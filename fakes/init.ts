import { type Fence, openControl } from '../kit/control.ts';
import { defineErrors } from '../kit/errors.ts';
import { programVersion } from '../kit/flags.ts';
import type { Identity } from '../proto/gen/longshore/contract/v1/fence.ts';
import type { Life } from './fake.ts';

interface PolicyCodec<Policy> {
  encode(message: Policy): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Policy;
}

/** Whom a fake obeys and by which policy; remembered like the real service's. */
export interface Init<Policy> {
  identify(): Promise<{ identity: Identity }>;
  /** Refuses another engine, an older coordinator and another host. `remember` once the Init has worked. */
  accept(request: Policy): { remember(): void };
  /** Undefined before Init and after Drain. */
  readonly policy: Policy | undefined;
  readonly engineId: string;
  /** NOT_INITIALISED. */
  needed(): Policy;
  forget(): void;
}

/** Resumes by the last Init, if there was one, as the real services do. */
export function openInit<Policy extends { fence: Fence | undefined }>(
  life: Life<unknown>,
  codec: PolicyCodec<Policy>,
): Init<Policy> {
  const { role, dataRoot, execRoot } = life;
  const errors = defineErrors(role, {
    notInitialised: { code: 'FAILED_PRECONDITION', message: () => `${role} is not initialised` },
  });
  const control = openControl(life.records, { bootId: life.bootId });
  const remembered = control.remembered();
  let policy = remembered === undefined ? undefined : codec.decode(remembered.policy);
  if (policy !== undefined) life.setServing(true);
  return {
    async identify() {
      return { identity: { version: programVersion(), pid: process.pid, dataRoot, execRoot, ...control.fence() } };
    },
    accept(request) {
      const accepted = control.accept(request.fence, codec.encode({ ...request, fence: undefined }).finish());
      return {
        remember() {
          accepted.remember();
          policy = request;
          life.setServing(true);
        },
      };
    },
    get policy() {
      return policy;
    },
    get engineId() {
      return control.fence().engineId;
    },
    needed() {
      if (policy === undefined) throw errors.notInitialised();
      return policy;
    },
    forget() {
      control.forget();
      policy = undefined;
      life.setServing(false);
    },
  };
}

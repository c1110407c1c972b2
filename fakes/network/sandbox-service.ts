import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import {
  CreateSandboxRequest,
  CreateSandboxResponse,
  RemoveSandboxRequest,
  RemoveSandboxResponse,
  type SandboxServiceImplementation,
  UpdateSandboxRequest,
  UpdateSandboxResponse,
} from '../../proto/gen/longshore/network/v1/sandbox.ts';
import type { Life } from '../fake.ts';
import { repeatable } from '../repeatable.ts';
import type { NetworkMemory } from './networks.ts';
import type { SandboxStore } from './sandboxes.ts';

export function sandboxService(
  { records }: Life<NetworkMemory>,
  store: SandboxStore,
  needInit: () => unknown,
): SandboxServiceImplementation {
  return {
    createSandbox: repeatable(records, CreateSandboxRequest, CreateSandboxResponse, (request) => {
      needInit();
      return store.create(request);
    }),
    updateSandbox: repeatable(records, UpdateSandboxRequest, UpdateSandboxResponse, ({ id, extraHosts }) => {
      needInit();
      return { outcome: store.update(id, extraHosts) };
    }),
    removeSandbox: repeatable(records, RemoveSandboxRequest, RemoveSandboxResponse, ({ id }) => {
      needInit();
      return { outcome: store.remove(id) ? Outcome.OUTCOME_DONE : Outcome.OUTCOME_ABSENT };
    }),
    async getSandbox({ id }) {
      needInit();
      return { sandbox: store.find(id) };
    },
    async *listSandboxes() {
      needInit();
      for (const sandbox of store.all()) yield { sandbox };
    },
  };
}

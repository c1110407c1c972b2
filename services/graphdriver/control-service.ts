import type { Control } from '../../kit/control.ts';
import { programVersion } from '../../kit/flags.ts';
import type { ServiceConfig } from '../../kit/service.ts';
import {
  type ControlServiceImplementation,
  InitRequest,
  type InitResponse,
} from '../../proto/gen/longshore/graphdriver/v1/control.ts';
import type { DriverControl, OpenDriver } from './driver-control.ts';
import { migrateLayouts } from './migrate.ts';
import { noncePath, readNonce } from './nonce.ts';

interface Given {
  config: ServiceConfig;
  control: Control;
  driverControl: DriverControl;
  setServing: (isServing: boolean) => void;
}

/** ControlService: whom the service obeys, and which driver it keeps open. */
export function controlService({ config, control, driverControl, setServing }: Given): ControlServiceImplementation {
  return {
    async identify() {
      const { dataRoot, execRoot } = config;
      return { identity: { version: programVersion(), pid: process.pid, dataRoot, execRoot, ...control.fence() } };
    },

    async init(request) {
      const accepted = control.accept(request.fence, policyBytes(request));
      const open = await driverControl.open({ ...request, engineId: control.fence().engineId });
      accepted.remember();
      setServing(true);
      return initResponse(config.dataRoot, open);
    },

    async migrate() {
      return { moved: migrateLayouts(config.dataRoot, config.log) };
    },

    async drain({ keep }) {
      setServing(false);
      control.forget();
      return { problems: await driverControl.drain(new Set(keep)) };
    },
  };
}

/** Opens the driver of the last Init, before the coordinator comes. A failure is left for the coordinator to meet. */
export async function resume({ config, control, driverControl, setServing }: Given): Promise<void> {
  const remembered = control.remembered();
  if (remembered === undefined) return;
  try {
    const { driver, options, idMaps } = InitRequest.decode(remembered.policy);
    await driverControl.open({ driver, options, idMaps, engineId: remembered.engineId });
    setServing(true);
  } catch (error) {
    config.log.error({ err: error }, 'the layers could not be opened again; waiting for the coordinator');
  }
}

function policyBytes(request: InitRequest): Uint8Array {
  return InitRequest.encode({ ...request, fence: undefined }).finish();
}

function initResponse(dataRoot: string, { layers, because, passedOver }: OpenDriver): InitResponse {
  return {
    driver: layers.driver.name,
    chosenBecause: because,
    passedOver: [...passedOver],
    status: layers.driver.status.map((row) => ({ ...row })),
    noncePath,
    nonce: readNonce(dataRoot),
  };
}

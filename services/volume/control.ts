import type { Control } from '../../kit/control.ts';
import { type Owner, rootOf } from '../../kit/id-maps.ts';
import type { Logger } from '../../kit/log.ts';
import { createKeyedQueue } from '../../kit/queue.ts';
import { InitRequest } from '../../proto/gen/longshore/volume/v1/control.ts';
import { errors } from './errors.ts';
import type { VolumeRecords } from './volume-records.ts';
import type { Volumes } from './volumes.ts';

/** Whom the service works for. One of these verbs at a time. */
export interface VolumeControl {
  /** NOT_INITIALISED before the first Init. */
  needInit(): void;
  /** Whose new volumes are. */
  owner(): Owner;
  /** Carries on after the last Init. Without one, nothing happens. */
  resume(): Promise<void>;
  /** Gives the number of volumes. */
  init(request: InitRequest): Promise<number>;
  /** Returns what could not be unmounted. */
  drain(keep: readonly string[]): Promise<string[]>;
}

export interface VolumeControlContext {
  control: Control;
  bootId: string;
  volumes: Volumes;
  volumeRecords: VolumeRecords;
  log: Logger;
  setServing(isServing: boolean): void;
}

export function createVolumeControl(context: VolumeControlContext): VolumeControl {
  const { control, volumes, volumeRecords, log } = context;
  const queue = createKeyedQueue();
  const oneAtATime = <T>(work: () => Promise<T>) => queue.run('control', work);
  let isInitialised = false;
  let owner = rootOf(undefined);
  let isOpen = false;

  async function open(): Promise<void> {
    // What a crash has left is settled once; later it is the present that would be taken for remains.
    if (!isOpen) await volumes.open(context.bootId);
    isOpen = true;
    isInitialised = true;
    context.setServing(true);
  }

  return {
    owner: () => owner,
    needInit() {
      if (!isInitialised) throw errors.notInitialised();
    },

    resume: () =>
      oneAtATime(async () => {
        const remembered = control.remembered();
        if (remembered === undefined) return;
        try {
          owner = rootOf(InitRequest.decode(remembered.policy).idMaps);
          await open();
        } catch (error) {
          log.error({ err: error }, 'cannot carry on with the last initialisation; waiting for the next');
        }
      }),

    init: (request) =>
      oneAtATime(async () => {
        const policy = InitRequest.encode({ ...request, fence: undefined }).finish();
        const accepted = control.accept(request.fence, policy);
        owner = rootOf(request.idMaps);
        await open();
        accepted.remember();
        return volumes.all().length;
      }),

    drain: (keep) =>
      oneAtATime(async () => {
        const kept = new Set(keep);
        const problems: string[] = [];
        isInitialised = false;
        context.setServing(false);
        for (const { volume, holder, isMounted } of volumeRecords.allHoldings()) {
          if (!isMounted || kept.has(holder)) continue;
          try {
            await volumes.unmount(volume, holder);
          } catch (error) {
            problems.push(`volume ${volume}: ${error instanceof Error ? error.message : String(error)}`);
          }
        }
        control.forget();
        return problems;
      }),
  };
}

import type { ViewPlan } from '../../../kit/linux/private-view.ts';
import type { IdMaps } from '../../../proto/gen/longshore/contract/v1/id_maps.ts';

/** What a thread does with the files of one container. It crosses to the thread as it is. */
export type FilesJob =
  | { kind: 'stat'; path: string }
  | { kind: 'read'; path: string; isBare: boolean }
  | { kind: 'write'; path: string; keepKinds: boolean; owner: string };

export interface FilesWork {
  view: ViewPlan;
  /** Of the container; undefined: its users and groups are the host's. */
  idMaps: IdMaps | undefined;
  job: FilesJob;
}

/** As stat(2) has it, and where a symlink leads to at last. */
export interface FileFacts {
  name: string;
  size: number;
  mode: number;
  modifiedAtNs: bigint;
  linkTarget: string;
}

/** Why a job came to nothing, as plain data. */
export type FilesFailure =
  | { kind: 'not found' }
  | { kind: 'not a directory' }
  | { kind: 'read-only'; isRoot: boolean }
  | { kind: 'bad archive'; entry: string; problem: string }
  | { kind: 'unknown user'; detail: string }
  | { kind: 'refused'; detail: string };

/** From the thread. After `chunk` it waits for `more`, after `give` for `chunk` or `end`. */
export type FromThread =
  | { type: 'file'; file: FileFacts }
  | { type: 'chunk'; bytes: Uint8Array<ArrayBuffer> }
  | { type: 'give' }
  | { type: 'done' }
  | { type: 'failed'; failure: FilesFailure };

/** To the thread. `cancel` may come at any time: it lets go of everything and ends. */
export type ToThread = { type: 'more' } | { type: 'chunk'; bytes: Uint8Array } | { type: 'end' } | { type: 'cancel' };

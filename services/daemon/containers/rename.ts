import { Outcome } from '../../../proto/gen/longshore/contract/v1/outcome.ts';
import type {
  RenameContainerRequest,
  RenameContainerResponse,
} from '../../../proto/gen/longshore/daemon/v1/container.ts';
import { errors } from '../errors.ts';
import { containerEvent } from './container-event.ts';
import { type Lifecycle, present } from './lifecycle.ts';
import { assertNameIsFree } from './name-reservation.ts';
import { checkedName } from './names.ts';
import type { Commit } from './repository.ts';

/** Gives a container another name. The link graph is the authority on names: the restore step mends a record cut off here. */
export function renameContainer(
  lifecycle: Lifecycle,
  request: RenameContainerRequest,
  commit: (outcome: RenameContainerResponse) => Commit<RenameContainerResponse>,
): Promise<RenameContainerResponse> {
  if (request.container === '' || request.name === '') {
    throw errors.badConfig({ field: 'name', problem: 'Neither old nor new names may be empty' });
  }
  const { id } = lifecycle.repository.find(request.container);
  return lifecycle.queue.run(id, () => {
    const record = present(lifecycle, id);
    if (record.status === 'removing' || record.status === 'dead')
      throw errors.removalInProgress({ container: id, verb: 'renamed' });
    const name = checkedName(`/${request.name.replace(/^\//, '')}`);
    if (name === record.name) {
      const problem = 'Renaming a container with the same name as its current name';
      throw errors.badConfig({ field: 'name', problem });
    }
    assertNameIsFree(lifecycle, name);
    lifecycle.engine.links.rename(`/${record.name}`, `/${name}`);
    const renamed = { ...record, name };
    const attributes = { oldName: `/${record.name}` };
    return lifecycle.repository.apply(
      { put: [renamed], events: [containerEvent(renamed, 'rename', lifecycle.now(), attributes)] },
      commit({ outcome: Outcome.OUTCOME_DONE }),
    );
  });
}

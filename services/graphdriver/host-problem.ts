import { toText } from '../../kit/archive/bytes.ts';
import { BadArchive } from '../../kit/archive/entry.ts';
import { messageOf, ServiceError } from '../../kit/errors.ts';
import { hasCode } from '../../kit/linux/system-error.ts';
import type { LayerId } from './driver.ts';
import { errors } from './errors.ts';

/** What the caller is told when the host refuses something on the way to or from a layer's files. */
export function hostProblem(layer: LayerId, error: unknown, verb: 'apply' | 'create' | 'mount' | 'read'): unknown {
  if (error instanceof ServiceError) return error;
  const cause = { cause: error };
  if (error instanceof BadArchive) {
    return errors.badArchive({ layer, entry: toText(error.entry), problem: error.problem }, cause);
  }
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return errors.noSpace({ layer, problem: messageOf(error) }, cause);
  if (hasCode(error, 'ENOENT') && verb !== 'apply') {
    return errors.layerDamaged({ layer, problem: `some of its files are missing (${messageOf(error)})` }, cause);
  }
  if (verb === 'mount') return errors.mountFailed({ layer, problem: messageOf(error) }, cause);
  return error;
}

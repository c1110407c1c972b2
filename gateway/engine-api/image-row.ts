import type { Image } from '../../proto/gen/longshore/graph/v1/image.ts';
import { parseRfc3339, secondsOf } from './times.ts';
import { atLeast } from './version.ts';

/** A row of `docker images`. */
export function imageRow(image: Image, version: string): object {
  // Older clients print these words as they come.
  const namesNone = !atLeast(version, '1.43');
  return {
    Containers: -1,
    Created: secondsOf(parseRfc3339(image.created) ?? 0n),
    Id: image.id,
    Labels: image.config?.labels ?? {},
    ParentId: '',
    RepoDigests: image.repoDigests.length === 0 && namesNone ? ['<none>@<none>'] : image.repoDigests,
    RepoTags: image.tags.length === 0 && namesNone ? ['<none>:<none>'] : image.tags,
    SharedSize: -1,
    Size: image.size,
    ...(!atLeast(version, '1.44') && { VirtualSize: image.size }),
  };
}

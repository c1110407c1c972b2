import type { Image } from '../../proto/gen/longshore/graph/v1/image.ts';
import { bodyOf } from './body.ts';
import { BadRequest, notFound } from './errors.ts';

/** `platform={"os":"linux","architecture":"amd64"}`: the image must be of that platform, as far as it is given. */
export function requirePlatform(text: string | undefined, image: Image, name: string): void {
  if (text === undefined) return;
  const wanted = platformOf(text);
  const isOther = (asked: string, found: string) => asked !== '' && asked !== found;
  if (
    isOther(wanted.os, image.os) ||
    isOther(wanted.architecture, image.architecture) ||
    isOther(wanted.variant, image.variant)
  ) {
    throw notFound(`image with reference ${name} was found but does not match the specified platform`);
  }
}

function platformOf(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadRequest('invalid platform: not JSON', { cause });
  }
  const body = bodyOf(value, 'platform');
  return { os: body.text('os'), architecture: body.text('architecture'), variant: body.text('variant') };
}

import * as z from 'zod/mini';
import { type Digest, isDigest } from './digest.ts';
import { parseDocument } from './json.ts';

/** A field that Go's encoder may leave out or write as null. */
function field<T extends z.ZodMiniType>(shape: T) {
  return z.optional(
    z.pipe(
      z.nullable(shape),
      z.transform((value) => value ?? undefined),
    ),
  );
}

const text = z.string();
const texts = z.array(text);
/** Go writes sets as objects with empty values. */
const set = z.record(z.string(), z.unknown());
/** Images of old wrote a single string where a list stands now. */
const command = z.union([
  texts,
  z.pipe(
    text,
    z.transform((line) => [line]),
  ),
]);
const whole = z.int();
const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));

const healthcheck = z.object({
  Test: field(texts),
  Interval: field(whole),
  Timeout: field(whole),
  StartPeriod: field(whole),
  StartInterval: field(whole),
  Retries: field(whole),
});

const config = z.object({
  User: field(text),
  ExposedPorts: field(set),
  Env: field(texts),
  Entrypoint: field(command),
  Cmd: field(command),
  Volumes: field(set),
  WorkingDir: field(text),
  Labels: field(z.record(z.string(), z.string())),
  StopSignal: field(text),
  Shell: field(texts),
  Healthcheck: field(healthcheck),
  OnBuild: field(texts),
  ArgsEscaped: field(z.boolean()),
});

const history = z.object({
  created: field(text),
  created_by: field(text),
  author: field(text),
  comment: field(text),
  empty_layer: field(z.boolean()),
});

const imageFile = z.object({
  architecture: field(text),
  os: field(text),
  variant: field(text),
  author: field(text),
  comment: field(text),
  created: field(text),
  docker_version: field(text),
  config: field(config),
  rootfs: z.object({ diff_ids: field(z.array(digest)) }),
  history: field(z.array(history)),
});

/** The image config file (OCI image spec, config.md), with Docker's additions. What else is in it is kept but not read. */
export type ImageFile = z.infer<typeof imageFile>;

export type RunConfig = z.infer<typeof config>;

/** `part` names the file in errors (BAD_ARCHIVE). */
export function parseImageFile(bytes: Uint8Array, part: string): ImageFile {
  return parseDocument(bytes, part, imageFile);
}

export function diffIdsOf(file: ImageFile): readonly Digest[] {
  return file.rootfs.diff_ids ?? [];
}

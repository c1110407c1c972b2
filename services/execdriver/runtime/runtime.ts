import type { OciSpec } from '../spec/oci.ts';

/** An OCI runtime, under its own root, so that no other engine's containers are seen or touched. */
export interface Runtime {
  /** As users name it: `crun`. */
  readonly name: string;
  /** To run it by. */
  readonly path: string;
  /** `crun 1.8.1`. */
  readonly version: string;
  /** What comes before its commands. */
  readonly globalArguments: readonly string[];
  /**
   * Instead of `globalArguments`, for an exec in a container whose cgroups the runtime's process is in already: it joins none, and
   * looks for no freezer. Undefined when this runtime cannot be told.
   */
  insideArguments?(id: string): readonly string[];
  /** May put into the spec what makes this runtime faster. */
  prepare(spec: OciSpec): OciSpec;
  /** To be called with the spec that was given to prepare, when the runtime has created its container. */
  created(id: string, spec: OciSpec): void;
  /** Lets a created container's init run its command. */
  start(id: string): Promise<void>;
  /** True when a created container's init has been let go. */
  hasStarted(id: string, pid: number): boolean;
  /** Forgets a container whose processes have ended. Harmless when there is none. */
  remove(id: string): Promise<void>;
}

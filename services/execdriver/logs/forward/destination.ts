import type { LogLine } from '../lines.ts';

/** A connection to another log. */
export interface Destination {
  /** Resolves when all are handed over. Throws what stands in the way; then another has to be opened. */
  send(messages: readonly Buffer[]): Promise<void>;
  close(): void;
}

/** Where a container's lines are sent on to, and in which form. */
export interface Target {
  /** As people name it: `syslog at udp://127.0.0.1:514`. */
  name: string;
  open(): Promise<Destination>;
  format(line: LogLine): Buffer[];
}

/** What is sent on of a container's log, and what is told of the container. */
export interface SentLog {
  driver: 'syslog' | 'journald';
  options: Readonly<Record<string, string>>;
  tag: string;
  attributes: Readonly<Record<string, string>>;
  imageName: string;
}

/** Neither receiver takes much longer ones, and Docker cuts lines here too. */
const longestText = 16 * 1024;

/** A line's text, without its end, in parts that fit a message. */
export function textParts(line: Buffer): Buffer[] {
  const text = line.at(-1) === 0x0a ? line.subarray(0, -1) : line;
  if (text.length <= longestText) return [text];
  return Array.from({ length: Math.ceil(text.length / longestText) }, (_, index) =>
    text.subarray(index * longestText, (index + 1) * longestText),
  );
}

/** syslog(3): 6 is informational, 3 an error. */
export const severities = { stdout: 6, stderr: 3 } as const;

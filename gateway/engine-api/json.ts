import { messageOf } from '../../kit/errors.ts';
import type { Exchange } from './exchange.ts';

/** ES2025's JSON.rawJSON, which the compiler's library does not list. */
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): object };

/** A number in JSON with all its digits, also beyond 2^53. */
export function exactNumber(value: bigint): object {
  return rawJSON(value.toString());
}

/** A streamed answer of JSON lines, as load, import and pull give. */
export interface JsonLines {
  write(value: object): Promise<void>;
  /** The work is done. */
  end(): void;
  /** Ends with the error as a line, if lines were written already; their status was 200. Else throws it. */
  fail(error: unknown): Promise<void>;
}

export function jsonLines(exchange: Exchange): JsonLines {
  let begun = false;
  const lines: JsonLines = {
    async write(value) {
      begun = true;
      exchange.stream('application/json');
      await exchange.write(`${JSON.stringify(value)}\r\n`);
    },
    end() {
      exchange.stream('application/json');
      exchange.end();
    },
    async fail(error) {
      if (!begun) throw error;
      const message = messageOf(error);
      await lines.write({ errorDetail: { message }, error: message });
      lines.end();
    },
  };
  return lines;
}

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { AttachResponse, ReadLogsResponse } from '../../proto/gen/longshore/execdriver/v1/stream.ts';
import { RopeWriter } from './rope-writer.ts';

const bytesOf = (length: number) => Buffer.from(Array.from({ length }, (_, index) => index % 251));

/** Field 1 holds a message with bytes in it, field 2 bytes, field 3 a word, field 4 bytes again. */
function write(writer: BinaryWriter, length: number): Uint8Array {
  writer.uint32(10).fork();
  writer.uint32(10).bytes(bytesOf(length)).uint32(16).int32(7).join();
  writer
    .uint32(18)
    .bytes(bytesOf(length + 1))
    .uint32(26)
    .string('between')
    .uint32(34)
    .bytes(bytesOf(length + 2));
  return writer.finish();
}

suite('messages with long bytes', () => {
  test('are written as they are by the usual writer, wherever the bytes are', () => {
    for (const length of [0, 1, 127, 128, 8189, 8190, 8191, 8192, 8193, 70_000, 300_000]) {
      assert.ok(Buffer.from(write(new BinaryWriter(), length)).equals(write(new RopeWriter(), length)), `${length}`);
    }
  });

  test('are read as they were written', () => {
    const packed = bytesOf(100_000);
    const answer = ReadLogsResponse.fromPartial({ packed, cursor: 'behind them' });
    assert.deepEqual(ReadLogsResponse.decode(ReadLogsResponse.encode(answer, new RopeWriter()).finish()), answer);
    const frame = AttachResponse.fromPartial({ frame: { $case: 'stderr', value: packed } });
    assert.deepEqual(AttachResponse.decode(AttachResponse.encode(frame, new RopeWriter()).finish()), frame);
  });

  test('a writer can be used again', () => {
    const writer = new RopeWriter();
    const first = write(writer, 10_000);
    assert.deepEqual(write(writer, 10_000), first);
  });
});

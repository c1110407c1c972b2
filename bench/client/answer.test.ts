import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseAnswer } from './answer.ts';

const parse = (text: string, hasEnded = false) => {
  const answer = parseAnswer(Buffer.from(text), hasEnded);
  return answer && { ...answer, body: answer.body.toString() };
};

suite('an answer', () => {
  test('is whole with all the bytes that its length tells, and not before', () => {
    const text = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nbody';
    assert.deepEqual(parse(text), { status: 201, isKept: true, body: 'body' });
    for (let length = 0; length < text.length; length += 1) assert.equal(parse(text.slice(0, length)), undefined);
  });

  test('in chunks is whole with the last one', () => {
    const text = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\nb\r\n, and more!\r\n0\r\n\r\n';
    assert.deepEqual(parse(text), { status: 200, isKept: true, body: 'body, and more!' });
    for (let length = 0; length < text.length; length += 1) assert.equal(parse(text.slice(0, length)), undefined);
  });

  test('without either goes on to the end of its connection', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nbytes';
    assert.equal(parse(text), undefined);
    assert.deepEqual(parse(text, true), { status: 200, isKept: false, body: 'bytes' });
  });

  test('that has no body has none', () => {
    assert.deepEqual(parse('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'), {
      status: 204,
      isKept: false,
      body: '',
    });
    assert.equal(parse('HTTP/1.1 304 Not Modified\r\n\r\n')?.status, 304);
  });

  test('that breaks off is none', () => {
    assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo', true), undefined);
  });
});

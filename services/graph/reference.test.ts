import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference, referenceText, tagName } from './reference.ts';

const hex = 'f'.repeat(64);

for (const [typed, meant] of [
  ['busybox', 'busybox:latest'],
  ['library/busybox', 'busybox:latest'],
  ['library/busybox:1.36', 'busybox:1.36'],
  ['library/team/busybox', 'library/team/busybox:latest'],
  ['lowercase:Uppercase', 'lowercase:Uppercase'],
  ['test.com:5000', 'test.com:5000'],
  ['test.com/repo:tag', 'test.com/repo:tag'],
  ['test:5000/repo', 'test:5000/repo:latest'],
  ['localhost/repo', 'localhost/repo:latest'],
  ['foo_bar.com:8080', 'foo_bar.com:8080'],
  ['foo/foo_bar.com:8080', 'foo/foo_bar.com:8080'],
  ['foo__bar/a-----b', 'foo__bar/a-----b:latest'],
  ['Registry/name', 'Registry/name:latest'],
  ['192.168.1.1:5000/repo:5050', '192.168.1.1:5000/repo:5050'],
  ['[2001:db8::1]:5000/repo:tag', '[2001:db8::1]:5000/repo:tag'],
  ['sub-dom1.foo.com/bar/baz/quux:some-long-tag', 'sub-dom1.foo.com/bar/baz/quux:some-long-tag'],
  [`repo@sha256:${hex}`, `repo@sha256:${hex}`],
  [`test:5000/repo:tag@sha256:${hex}`, `test:5000/repo:tag@sha256:${hex}`],
  [`${'a/'.repeat(127)}a:tag`, `${'a/'.repeat(127)}a:tag`],
  [hex, `sha256:${hex}`],
  [`sha256:${hex}`, `sha256:${hex}`],
  ['deadbeef', 'deadbeef:latest'],
] as const) {
  test(`${typed.slice(0, 60)} is ${meant.slice(0, 60)}`, () => {
    assert.equal(referenceText(parseReference(typed)), meant);
  });
}

for (const [typed, problem] of [
  ['', 'invalid reference format'],
  [':justtag', 'invalid reference format'],
  ['a b', 'invalid reference format'],
  ['name:', 'invalid reference format'],
  ['-name', 'invalid reference format'],
  ['a//b', 'invalid reference format'],
  ['a___b', 'invalid reference format'],
  ['aa/asdf$$^/aa', 'invalid reference format'],
  ['[2001:db8::1]', 'invalid reference format'],
  ['[fe80::1%eth0]:5000/repo', 'invalid reference format'],
  [`name:${'t'.repeat(129)}`, 'invalid reference format'],
  [`@sha256:${hex}`, 'invalid reference format'],
  ['repo@sha256:ffff', 'invalid reference format'],
  ['name\n', 'invalid reference format'],
  ['a'.repeat(100_000), 'invalid reference format'],
  ['Uppercase:tag', 'invalid reference format: repository name (Uppercase) must be lowercase'],
  ['test:5000/Upper/x:tag', 'invalid reference format: repository name (Upper/x) must be lowercase'],
  [`repo@sha256:${'f'.repeat(34)}`, 'invalid checksum digest length'],
  [`repo@sha256:${'F'.repeat(64)}`, 'invalid checksum digest format'],
  [`repo@md5:${'f'.repeat(32)}`, 'unsupported digest algorithm'],
  [`${'a/'.repeat(128)}a:tag`, 'repository name must not be more than 255 characters'],
] as const) {
  test(`${JSON.stringify(typed.slice(0, 60))} is refused: ${problem}`, () => {
    assert.throws(() => parseReference(typed), { code: 'INVALID_ARGUMENT', reason: 'BAD_REFERENCE', message: problem });
  });
}

test('a tag is made of a repository and a tag, latest when none is given', () => {
  assert.equal(tagName('app', ''), 'app:latest');
  assert.equal(tagName('host:5000/app', 'v1'), 'host:5000/app:v1');
});

test('a tag is not made of a digest, an id, a second tag or the name of a digest algorithm', () => {
  assert.throws(() => tagName(`app@sha256:${hex}`, ''), /refusing to create a tag with a digest reference/);
  assert.throws(() => tagName(hex, ''), /cannot specify 64-byte hexadecimal strings/);
  assert.throws(() => tagName('app:v1', 'v2'), /invalid reference format/);
  assert.throws(() => tagName('app', 'a/b'), /invalid/);
  assert.throws(() => tagName('sha256', 'ab'), /ambiguous tag/);
});

test('what is refused is not sent back at full length', () => {
  assert.throws(
    () => parseReference('A'.repeat(100_000)),
    (error: { message: string; metadata: { reference: string } }) =>
      error.message.length < 600 && error.metadata.reference.length < 600,
  );
});

test('an image is not given a name that would be taken for an id, with a tag or without', () => {
  for (const tag of ['', '1']) {
    assert.throws(() => tagName(hex, tag), { code: 'INVALID_ARGUMENT', reason: 'BAD_REFERENCE' });
  }
  assert.throws(() => tagName(hex, '1'), {
    message: `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`,
  });
});

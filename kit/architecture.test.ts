import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

interface Import {
  from: string;
  /** A path from the root of the sources, or a bare name. */
  what: string;
}

function sourcesUnder(folder: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mts|js|mjs)$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

/** Static imports, re-exports, `import()` and `require()` with a literal. */
const importing = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)(['"])([^'"\n]+)\1/g;

function importsOf(from: string): Import[] {
  const text = readFileSync(join(root, from), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  return [...text.matchAll(importing)].map(([, , name = '']) => ({
    from,
    what: name.startsWith('.') ? relative(root, resolve(root, from, '..', name)) : name,
  }));
}

const isTest = (path: string) => /\.test\.ts$/.test(path);

function packageOf(name: string): string {
  const parts = name.split('/');
  return parts.slice(0, name.startsWith('@') ? 2 : 1).join('/');
}

/** What a shipped source may take from outside: Node, and what package.json names (for tests also the tools). */
function isKnownPackage({ from, what }: Import): boolean {
  const name = packageOf(what);
  // The generated code's runtime; it comes with the generator.
  return (
    isBuiltin(what) ||
    name in dependencies ||
    name === '@bufbuild/protobuf' ||
    (isTest(from) && name in devDependencies)
  );
}

function offences(folder: string, mayImport: (each: Import) => boolean): string[] {
  return sourcesUnder(folder)
    .flatMap(importsOf)
    .filter((each) => !mayImport(each))
    .map((each) => `${each.from} imports ${each.what}`);
}

function isUnder(path: string, ...folders: string[]): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`));
}

test('a service imports the contracts and the kit, never another service (its tests may take the fakes)', () => {
  // A file beside the folders, as the one that puts all of them into one process, is no service.
  const services = readdirSync(join(root, 'services'), { withFileTypes: true }).filter((each) => each.isDirectory());
  for (const { name } of services) {
    const own = `services/${name}`;
    const found = offences(
      own,
      (each) =>
        isUnder(each.what, own, 'kit', 'proto/gen') ||
        (isTest(each.from) && isUnder(each.what, 'fakes')) ||
        isKnownPackage(each),
    );
    assert.deepEqual(found, []);
  }
});

test('the gateway imports the contracts and the kit, never a service', () => {
  assert.deepEqual(
    offences('gateway', (each) => isUnder(each.what, 'gateway', 'kit', 'proto/gen') || isKnownPackage(each)),
    [],
  );
});

test('the fakes import the contracts and the kit, never what they stand for', () => {
  assert.deepEqual(
    offences('fakes', (each) => isUnder(each.what, 'fakes', 'kit', 'proto/gen') || isKnownPackage(each)),
    [],
  );
});

test('the kit imports nothing that is built on it', () => {
  assert.deepEqual(
    offences('kit', (each) => isUnder(each.what, 'kit', 'proto/gen') || isKnownPackage(each)),
    [],
  );
});

test('only kit/linux calls the kernel by node:ffi', () => {
  const folders = ['kit', 'services', 'gateway', 'fakes', 'conformance', 'integration-tests', 'bench', 'scripts'];
  const found = folders
    .flatMap((folder) => offences(folder, ({ what }) => what !== 'node:ffi'))
    .filter((each) => !isUnder(each, 'kit/linux'));
  assert.deepEqual(found, []);
});

test('an import is found however it is written', () => {
  // The quotes are put in here so that these lines are no imports themselves.
  const forms = ['import a from @', 'import @', 'export * from @', 'await import(@)', 'require(@)'];
  for (const form of forms) {
    const line = form.replace('@', JSON.stringify('./errors.ts'));
    assert.equal([...line.matchAll(importing)][0]?.[2], './errors.ts', line);
  }
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createNetworkNamespaces } from './namespaces.ts';
import { createNftables, type Nftables, NftablesMissing, NftError } from './nftables.ts';

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root to change packet filters';
  try {
    createNftables()[Symbol.dispose]();
    return false;
  } catch (error) {
    if (error instanceof NftablesMissing) return error.message;
    throw error;
  }
}

/** The packet filter of a namespace of the test's own. */
function ownFilter() {
  const namespaces = createNetworkNamespaces();
  const directory = mkdtempSync(join(tmpdir(), 'longshore-nft-'));
  const path = join(directory, 'ns');
  namespaces.create(path);
  const nft: Nftables = namespaces.run(path, () => createNftables());
  return {
    nft,
    generation: () => namespaces.run(path, () => nft.generation()),
    [Symbol.dispose]() {
      nft[Symbol.dispose]();
      namespaces.remove(path);
      rmSync(directory, { recursive: true });
    },
  };
}

const table = 'add table ip longshore-test; add chain ip longshore-test c { type filter hook input priority 0; };';

suite('nftables', { skip: reasonToSkip() }, () => {
  test('rules that were added are listed, as text and as JSON', () => {
    using own = ownFilter();
    own.nft.run(`${table} add rule ip longshore-test c tcp dport 80 accept comment "longshore:e:1"`);
    assert.match(own.nft.run('list table ip longshore-test'), /tcp dport 80 accept comment "longshore:e:1"/);
    const listed = own.nft.list('list table ip longshore-test');
    const rule = listed.find((item) => typeof item === 'object' && item !== null && 'rule' in item);
    assert.match(JSON.stringify(rule), /"comment":"longshore:e:1"/);
    assert.match(own.nft.run('list tables'), /^table ip longshore-test\n$/);
  });

  test('the generation is another after each change, and after nothing else', () => {
    using own = ownFilter();
    const seen = [own.generation()];
    for (const commands of [table, 'add chain ip longshore-test d', 'flush ruleset']) {
      own.nft.run(commands);
      seen.push(own.generation());
    }
    assert.equal(new Set(seen).size, seen.length);
    own.nft.run('list ruleset');
    assert.throws(() => own.nft.run('add nonsense'), NftError);
    assert.equal(own.generation(), seen.at(-1));
  });

  test('a refused transaction changes nothing and tells what nft said', () => {
    using own = ownFilter();
    own.nft.run(table);
    assert.throws(
      () => own.nft.run('add chain ip longshore-test d\nadd rule ip longshore-test c jump nowhere'),
      (error) => error instanceof NftError && /No such file or directory/.test(error.message),
    );
    assert.throws(() => own.nft.run('add nonsense'), /syntax error/);
    assert.doesNotMatch(own.nft.run('list table ip longshore-test'), /chain d/);
  });

  test('it acts on the namespace it was made in, from everywhere', () => {
    using one = ownFilter();
    using other = ownFilter();
    one.nft.run(table);
    assert.equal(other.nft.run('list tables'), '');
  });
});

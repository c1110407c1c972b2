import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isServiceError } from '../../../kit/errors.ts';
import { type LinkGraph, openLinkGraph } from './linkgraph.ts';

function graphOf(edges: [path: string, entity: string][]): LinkGraph {
  const graph = openLinkGraph(':memory:');
  for (const [path, entity] of edges) graph.set(path, entity);
  return graph;
}

const named = (): LinkGraph =>
  graphOf([
    ['/a', '1'],
    ['/b', '2'],
    ['/b/x', '1'],
  ]);

test('a list of all depths has the deepest paths first', () => {
  const graph = named();
  assert.deepEqual([...graph.list('/', -1).keys()], ['/b/x', '/a', '/b']);
  assert.deepEqual(
    [...graph.list('/', 0)],
    [
      ['/a', '1'],
      ['/b', '2'],
    ],
  );
  assert.deepEqual([...graph.list('/nope', -1)], []);
});

test('a name is taken once under one parent, and a refused one leaves no entity', () => {
  const graph = named();
  assert.throws(
    () => graph.set('/a', '3'),
    (error) => isServiceError(error, 'LINK_NAME_TAKEN'),
  );
  assert.deepEqual(graph.refPaths('3'), []);
  graph.set('/c', '3');
  assert.equal(graph.get('/c'), '3');
});

test('an edge needs a parent that is there and is not the entity itself', () => {
  const graph = named();
  assert.throws(() => graph.set('/nope/x', '1'), /Cannot find child for \/nope\/x/);
  assert.throws(() => graph.set('/a/y', '1'), /Cannot set self as child/);
});

test('the root cannot be deleted; a deleted edge leaves its entity and its other paths', () => {
  const graph = named();
  assert.throws(() => graph.delete('/'), /Cannot delete root entity/);
  graph.delete('/a');
  assert.equal(graph.get('/a'), undefined);
  assert.equal(graph.get('/b/x'), '1');
  graph.delete('/b/none');
});

test('the root is the entity 0, and an entity may have many paths', () => {
  const graph = named();
  assert.equal(graph.get('/'), '0');
  assert.deepEqual(graph.refPaths('1'), [
    { parent: '0', name: 'a' },
    { parent: '2', name: 'x' },
  ]);
});

test('a purge takes the edges to an entity and those from it', () => {
  const graph = named();
  graph.set('/b/x/deep', '4');
  assert.equal(graph.purge('1'), 3);
  assert.deepEqual([...graph.list('/', -1).keys()], ['/b']);
  assert.equal(graph.purge('1'), 0);
});

test('a rename stays within one parent and refuses a taken name', () => {
  const graph = named();
  graph.rename('/a', '/z');
  assert.equal(graph.get('/z'), '1');
  assert.throws(
    () => graph.rename('/z', '/b'),
    (error) => isServiceError(error, 'LINK_NAME_TAKEN'),
  );
  assert.throws(() => graph.rename('/z', '/b/z'), /root paths do not match/);
  assert.throws(() => graph.rename('/gone', '/y'), /Cannot locate edge for 0 gone/);
});

test('containers that link to each other do not make a list endless', () => {
  const graph = graphOf([
    ['/a', '1'],
    ['/b', '2'],
    ['/a/b', '2'],
    ['/b/a', '1'],
  ]);
  assert.deepEqual([...graph.list('/', -1).keys()].sort(), ['/a', '/a/b', '/b', '/b/a']);
});

test('names outlive the engine', () => {
  const root = mkdtempSync(join(tmpdir(), 'longshore-links-'));
  try {
    const path = join(root, 'linkgraph.db');
    const first = openLinkGraph(path);
    first.set('/web', 'a1');
    first.close();
    const second = openLinkGraph(path);
    assert.equal(second.get('/web'), 'a1');
    second.close();
  } finally {
    rmSync(root, { recursive: true });
  }
});

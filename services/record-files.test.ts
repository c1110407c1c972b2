import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordFiles } from '../kit/record-files.ts';
import { migrations as containers } from './daemon/containers/records.ts';
import { migrations as links } from './daemon/linkgraph/schema.ts';
import { migrations as processes } from './execdriver/containers/record.ts';
import { migrations as images } from './graph/records/schema.ts';
import { migrations as layers } from './graphdriver/layer-records.ts';
import { migrations as networks } from './network/records.ts';
import { migrations as volumes } from './volume/records.ts';

test('a root is refused as newer from the schemas on that this version makes', () => {
  const made = {
    'daemon/containers.db': containers,
    'daemon/linkgraph.db': links,
    'execdriver/processes.db': processes,
    'graph/images.db': images,
    'graphdriver/layers.db': layers,
    'network/records.db': networks,
    'volumes/volumes.db': volumes,
  };
  for (const [file, migrations] of Object.entries(made)) {
    assert.equal(recordFiles[file], migrations.length, `kit/record-files.ts: ${file}`);
  }
});

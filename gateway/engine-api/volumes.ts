import { randomBytes } from 'node:crypto';
import { Outcome } from '../../proto/gen/longshore/contract/v1/outcome.ts';
import type { Volume } from '../../proto/gen/longshore/volume/v1/volume.ts';
import type { Peers } from '../peers.ts';
import { bodyOf } from './body.ts';
import { notFound } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { labelMap, truthFilter } from './query.ts';
import type { Routes } from './router.ts';
import { rfc3339 } from './times.ts';

export function volumeRoutes({ volumes }: Peers): Routes {
  return {
    async 'GET /volumes'(exchange) {
      const filters = exchange.query.filters(['name', 'label', 'driver', 'dangling']);
      const listed = await Array.fromAsync(
        volumes.listVolumes(
          {
            names: filters.name ?? [],
            labels: labelMap(filters.label),
            drivers: filters.driver ?? [],
            dangling: truthFilter('dangling', filters.dangling),
          },
          { signal: exchange.signal },
        ),
      );
      const rows = listed.flatMap(({ volume }) => (volume === undefined ? [] : [volumeJson(volume)]));
      exchange.json(200, { Volumes: rows, Warnings: null });
    },

    async 'GET /volumes/{name}'(exchange) {
      const { volume } = await volumes.getVolume({ name: named(exchange) });
      if (volume === undefined) throw noSuchVolume(exchange);
      exchange.json(200, volumeJson(volume));
    },

    async 'POST /volumes/create'(exchange) {
      const body = (await exchange.body()) ?? bodyOf({});
      body.refuseSet('ClusterVolumeSpec');
      const name = body.text('Name');
      const { volume } = await volumes.createVolume({
        name: name === '' ? randomBytes(32).toString('hex') : name,
        driver: body.text('Driver'),
        options: body.textMap('DriverOpts'),
        labels: body.textMap('Labels'),
        anonymous: name === '',
      });
      if (volume === undefined) throw new Error('the volume service made no volume');
      exchange.json(201, volumeJson(volume));
    },

    async 'DELETE /volumes/{name}'(exchange) {
      const force = exchange.query.truth('force');
      const { outcome } = await volumes.removeVolume({ name: named(exchange), force });
      if (outcome === Outcome.OUTCOME_ABSENT && !force) throw noSuchVolume(exchange);
      exchange.empty(204);
    },
  };
}

const named = (exchange: Exchange) => exchange.path.name ?? '';

const noSuchVolume = (exchange: Exchange) => notFound(`get ${named(exchange)}: no such volume`);

const mapJson = (map: Record<string, string>) => (Object.keys(map).length === 0 ? null : map);

function volumeJson(volume: Volume): object {
  return {
    CreatedAt: rfc3339(volume.createdAtNs),
    Driver: volume.driver,
    Labels: mapJson(volume.labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: mapJson(volume.options),
    Scope: volume.scope,
  };
}

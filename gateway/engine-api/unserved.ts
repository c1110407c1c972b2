import { notFound, notServed } from './errors.ts';
import type { Routes } from './router.ts';

/** Parts of Docker's API that are known and not served, by what a user would call them. */
const unserved: Readonly<Record<string, readonly string[]>> = {
  pruning: ['POST /images/prune', 'POST /volumes/prune', 'POST /networks/prune'],
  'saving images': ['GET /images/get', 'GET /images/{name:*}/get'],
  'pushing images': ['POST /images/{name:*}/push'],
  'searching registries': ['GET /images/search'],
  'asking registries': ['GET /distribution/{name:*}/json'],
  'logging in to registries': ['POST /auth'],
  'building images': ['POST /build', 'POST /build/prune', 'POST /build/cancel', 'POST /session', 'POST /grpc'],
  'commit of containers': ['POST /commit'],
  'changing networks': [
    'POST /networks/create',
    'DELETE /networks/{id}',
    'POST /networks/{id}/connect',
    'POST /networks/{id}/disconnect',
  ],
  'updating volumes': ['PUT /volumes/{name}'],
  'disk usage': ['GET /system/df'],
  plugins: ['GET /plugins/privileges', 'POST /plugins/{name:*}', 'DELETE /plugins/{name:*}'],
  swarms: [
    'GET /swarm',
    'POST /swarm/{verb}',
    'GET /services',
    'GET /nodes',
    'GET /tasks',
    'GET /secrets',
    'GET /configs',
  ],
};

export function unservedRoutes(): Routes {
  const rows = Object.entries(unserved).flatMap(([what, routes]) =>
    routes.map((route) => [
      route,
      () => {
        throw notServed(what);
      },
    ]),
  );
  return Object.fromEntries(rows);
}

/** What `docker pull` and a `docker run` of an image that is not here ask for. */
export const cannotPull = (image: string) =>
  notFound(
    `image "${image}" is not here and this engine does not pull from registries yet: use docker load or docker import`,
  );

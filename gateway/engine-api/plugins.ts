import { notFound } from './errors.ts';
import type { Routes } from './router.ts';

/** The engine has no plugins; `docker inspect` of any name asks for one last. */
export const pluginRoutes: Routes = {
  'GET /plugins': (exchange) => exchange.json(200, []),
  'GET /plugins/{name:*}/json': ({ path }) => {
    throw notFound(`plugin "${path.name}" not found`);
  },
};

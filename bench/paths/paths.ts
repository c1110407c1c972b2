import type { Path } from '../bench.ts';
import { api } from './api.ts';
import { atOnce } from './at-once.ts';
import { boot } from './boot.ts';
import { cli } from './cli.ts';
import { cliAtOnce } from './cli-at-once.ts';
import { exec } from './exec.ts';
import { health } from './health.ts';
import { load } from './load.ts';
import { log } from './log.ts';
import { memory } from './memory.ts';
import { restart } from './restart.ts';

/** In the order in which they run. */
export const paths: readonly Path[] = [boot, restart, cli, cliAtOnce, api, atOnce, exec, memory, health, log, load];

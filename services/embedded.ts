import { start as gateway } from '../gateway/service.ts';
import { runDaemon } from './daemon/run-daemon.ts';
import { inProcessLauncher } from './daemon/supervisor/in-process.ts';
import { start as execdriver } from './execdriver/service.ts';
import { start as graph } from './graph/service.ts';
import { start as graphdriver } from './graphdriver/service.ts';
import { start as network } from './network/service.ts';
import { start as volume } from './volume/service.ts';

/** All seven in one process. The one place that knows every service; they still speak to each other over their contracts. */
void runDaemon((config) => inProcessLauncher(config, { graph, graphdriver, execdriver, volume, network, gateway }));

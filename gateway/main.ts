import { runService } from '../kit/service.ts';
import { withHosts } from './hosts.ts';
import { start } from './service.ts';

void runService('gateway', start, withHosts);

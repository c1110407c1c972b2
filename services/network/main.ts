import { runService } from '../../kit/service.ts';
import { start } from './service.ts';

void runService('network', start, (command) =>
  command.option('--sysctl-root <directory>', 'where the writable kernel parameters are, if not at /proc/sys'),
);

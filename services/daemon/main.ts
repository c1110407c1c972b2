import { runDaemon } from './run-daemon.ts';
import { processLauncher } from './supervisor/process-launcher.ts';

void runDaemon(processLauncher);

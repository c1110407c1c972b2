import { runService } from '../../kit/service.ts';
import { start } from './service.ts';

void runService('graphdriver', start);

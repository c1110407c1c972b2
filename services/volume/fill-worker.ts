import { parentPort, workerData } from 'node:worker_threads';
import { type Filling, fill } from './fill.ts';

/** One filling; what it throws reaches the starter as the worker's error. */
parentPort?.postMessage(fill(workerData as Filling));

import { workerData } from 'node:worker_threads';
import { deleteTree } from '../../kit/linux/delete-tree.ts';

/** One deletion; what it throws reaches the starter as the worker's error. */
deleteTree(String(workerData));

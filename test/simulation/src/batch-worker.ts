import { parentPort } from 'node:worker_threads';
import { type Batch, runBatch } from './batch.js';

/** Runs batches that it is sent, and sends back what came of them. */
parentPort?.on('message', (batch: Batch) => parentPort?.postMessage(runBatch(batch)));

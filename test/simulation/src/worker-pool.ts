import { Worker } from 'node:worker_threads';
import type { Batch, BatchResult } from './batch.js';

/** Runs batches on several threads, each as soon as one is free, and hands over results as they come. */
export async function runOnWorkers(
  batches: readonly Batch[],
  workerCount: number,
  onResult: (result: BatchResult) => void,
): Promise<void> {
  const waiting = [...batches];
  const workers = Array.from({ length: Math.min(workerCount, batches.length) }, () => runWorker(waiting, onResult));
  await Promise.all(workers);
}

async function runWorker(waiting: Batch[], onResult: (result: BatchResult) => void): Promise<void> {
  const worker = new Worker(new URL('./batch-worker.js', import.meta.url));
  try {
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
      onResult(await runOn(worker, batch));
    }
  } finally {
    await worker.terminate();
  }
}

function runOn(worker: Worker, batch: Batch): Promise<BatchResult> {
  return new Promise((resolve, reject) => {
    worker.removeAllListeners();
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.postMessage(batch);
  });
}

import { PutResult, RequestResult } from '../entry-memory.js';
import type { PendingWrite } from '../write-queue.js';
import { QueuedWrites } from './queued-writes.js';

/**
 * The origin first, then the memory, then the answer: when the caller hears "written", both have it. If the origin
 * refuses, the memory is as before. If the outcome is unknown, the memory forgets the key, so that the next reader
 * learns the truth from the origin.
 */
export class WriteThrough extends QueuedWrites {
  protected override applied(write: PendingWrite, changed: boolean): void {
    if (write.value !== undefined) {
      this.#store(write, write.value);
      return;
    }
    this.forget(write, changed ? RequestResult.done : RequestResult.notFound);
    write.found(changed);
  }

  #store(write: PendingWrite, value: Uint8Array): void {
    const { memory, life, flights } = this.context;
    flights.supersedeText(write.text);
    memory.request = write.request;
    // Also while the partition stands still: what it has of the key is older than the origin from now on.
    if (!memory.owns(write.partition)) {
      // The origin has it, and whoever has the partition now knows that it must ask there.
      write.written(0, 0, 0);
      return;
    }
    // What it has stored in the origin may have been changed there before the invalidation.
    const isOutdated = this.context.invalidations.concerns(write.invalidationOrder, write.tags);
    memory.tags = write.tags;
    if (
      !isOutdated &&
      memory.put(write.key, value, 0, value.length, life.lifeMs(write.ttlMs), 0) === PutResult.stored
    ) {
      write.written(memory.putEpoch, memory.putSeq, 1);
      return;
    }
    memory.tags = undefined;
    memory.remove(write.key);
    write.written(0, 0, 0);
  }
}

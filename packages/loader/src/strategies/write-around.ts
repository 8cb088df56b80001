import { EntryFlag } from '../entry-memory.js';
import type { PendingWrite } from '../write-queue.js';
import { QueuedWrites } from './queued-writes.js';

/**
 * The origin only: the entry is forgotten and a later miss loads it. For what is written far more often than read.
 * With `invalidate: false` a cached value stays, for rows that are written once; "no such row" is forgotten always.
 */
export class WriteAround extends QueuedWrites {
  protected override applied(write: PendingWrite, changed: boolean): void {
    const isDelete = write.value === undefined;
    if (isDelete || this.context.policy.invalidate || this.#knownMissing(write)) this.forget(write);
    else this.context.flights.supersedeText(write.text);
    if (isDelete) write.found(changed);
    else write.written(0, 0, 0);
  }

  #knownMissing({ key }: PendingWrite): boolean {
    const { memory } = this.context;
    const ref = memory.peek(key);
    return ref !== 0 && (memory.flags(ref) & EntryFlag.negative) !== 0;
  }
}

import type { EntryRef } from '@larder/loader';
import { recordOf } from '../replication/record.js';
import type { Storage } from '../storage/storage.js';
import type { OwnedPartitions } from './owned-partitions.js';

interface Removal {
  readonly cache: number;
  readonly partition: number;
  readonly key: Buffer;
}

/**
 * What the owner evicts or lets expire, the other copies must drop too. The storage says so in the midst of a call that
 * may belong to another partition and already has its version, so removals wait until that call is over.
 */
export class Removals {
  readonly #waiting: Removal[] = [];
  storage!: Storage;

  constructor(readonly partitions: OwnedPartitions) {}

  /** Called by the storage, before the entry goes. */
  readonly noted = (cache: number, partition: number, ref: EntryRef): void => {
    const replicator = this.partitions.owner(partition);
    if (replicator === undefined || replicator.isAlone) return;
    const key = Buffer.allocUnsafe(this.storage.keyBytes(ref));
    this.storage.copyKey(ref, key, 0);
    this.#waiting.push({ cache, partition, key });
  };

  /** Call it after each storage call that can evict or expire. */
  submit(): void {
    if (this.#waiting.length === 0) return;
    for (const { cache, partition, key } of this.#waiting) {
      const replicator = this.partitions.owner(partition);
      // A put may have removed the very entry that it replaces, and its record is on its way.
      const isBack = this.storage.peek(cache, { bytes: key, start: 0, end: key.length, partition }) !== 0;
      if (replicator === undefined || isBack) continue;
      const { epoch, nextSeq: seq } = replicator;
      const removal = { epoch, seq, cache, key, value: undefined, ttlMs: 0, flags: 0, request: undefined, result: 0 };
      this.partitions.submit(replicator, recordOf(removal));
    }
    this.#waiting.length = 0;
  }
}

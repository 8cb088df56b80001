import type { LarderError } from '@larder/proto';
import type { EntryRef } from './entry-memory.js';
import type { CopiedEntry, Reply } from './reply.js';

/** Tells several callers of one operation the same. They have been taken for later, so this one has as well. */
export class RepeatedReply implements Reply {
  constructor(readonly replies: readonly Reply[]) {}

  entry(ref: EntryRef): void {
    for (const reply of this.replies) reply.entry(ref);
  }

  leased(lease: number): void {
    for (const reply of this.replies) reply.leased(lease);
  }

  refusedFill(): void {
    for (const reply of this.replies) reply.refusedFill();
  }

  value(bytes: Uint8Array, stale: boolean): void {
    for (const reply of this.replies) reply.value(bytes, stale);
  }

  copied(entry: CopiedEntry): void {
    for (const reply of this.replies) reply.copied(entry);
  }

  miss(): void {
    for (const reply of this.replies) reply.miss();
  }

  written(epoch: number, seq: number, copies: number): void {
    for (const reply of this.replies) reply.written(epoch, seq, copies);
  }

  found(found: boolean): void {
    for (const reply of this.replies) reply.found(found);
  }

  failed(error: LarderError): void {
    for (const reply of this.replies) reply.failed(error);
  }

  later(): Reply {
    return this;
  }
}

import type { LarderError } from '@larder/proto';
import type { EntryRef } from './entry-memory.js';

/**
 * Where the answer to one operation goes. Exactly one method is called once, then never again. A server hands in one
 * object that it reuses for all operations of a frame, so that an answer within the call costs no allocation; who
 * cannot answer within the call takes `later()` first.
 */
export interface Reply {
  /** GET found this entry: it is copied now, within the call. */
  entry(ref: EntryRef): void;
  /** GET found a value that is not in memory: it did not fit, or is served stale. The bytes are handed over. */
  value(bytes: Uint8Array, stale: boolean): void;
  /** GET found this entry, as it was a moment ago. */
  copied(entry: CopiedEntry): void;
  /** GET found nothing. */
  miss(): void;
  /** GET found nothing, and it is its caller who loads, under this lease. */
  leased(lease: number): void;
  /** SET is done, at this version, and so many nodes hold it. 0 copies: it went to the origin only (write-around). */
  written(epoch: number, seq: number, copies: number): void;
  /** SET came too late to fill its lease: nothing is stored. */
  refusedFill(): void;
  /** DELETE or EXPIRE is done. */
  found(found: boolean): void;
  failed(error: LarderError): void;
  /** The same reply, to be answered in a later turn. Call it before the current call returns. */
  later(): Reply;
}

/** An entry that was copied before it could be answered. */
export interface CopiedEntry {
  readonly bytes: Uint8Array;
  readonly epoch: number;
  readonly seq: number;
  /** Remaining life in ms; -1 if it never expires, 0 if it is stale. */
  readonly remainingMs: number;
  /** Its life is over, and the origin is away. */
  readonly stale: boolean;
}

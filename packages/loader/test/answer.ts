import { deferred } from '@larder/base';
import type { LarderError } from '@larder/proto';
import type { EntryMemory, EntryRef } from '../src/entry-memory.js';
import type { CopiedEntry, Reply } from '../src/reply.js';

export type Outcome =
  | { readonly value: string; readonly from: 'memory' | 'origin' | 'stale' }
  | { readonly written: { readonly seq: number; readonly copies: number } }
  | { readonly found: boolean }
  | { readonly failed: LarderError }
  | { readonly leased: number }
  | 'refused fill'
  | 'miss';

/** A reply that remembers what it was told, and complains if it is told twice. */
export class Answer implements Reply {
  outcome: Outcome | undefined;
  isLater = false;
  readonly #told = deferred<Outcome>();

  constructor(readonly memory: EntryMemory) {}

  /** Resolves when the answer is there. */
  get told(): Promise<Outcome> {
    return this.#told.promise;
  }

  entry(ref: EntryRef): void {
    const bytes = new Uint8Array(this.memory.valueBytes(ref));
    this.memory.copyValue(ref, 0, bytes.length, bytes, 0);
    this.#tell({ value: Buffer.from(bytes).toString(), from: 'memory' });
  }

  value(bytes: Uint8Array): void {
    this.#tell({ value: Buffer.from(bytes).toString(), from: 'origin' });
  }

  copied({ bytes, stale }: CopiedEntry): void {
    this.#tell({ value: Buffer.from(bytes).toString(), from: stale ? 'stale' : 'memory' });
  }

  miss(): void {
    this.#tell('miss');
  }

  leased(leased: number): void {
    this.#tell({ leased });
  }

  refusedFill(): void {
    this.#tell('refused fill');
  }

  written(_epoch: number, seq: number, copies: number): void {
    this.#tell({ written: { seq, copies } });
  }

  found(found: boolean): void {
    this.#tell({ found });
  }

  failed(error: LarderError): void {
    this.#tell({ failed: error });
  }

  later(): Reply {
    this.isLater = true;
    return this;
  }

  #tell(outcome: Outcome): void {
    if (this.outcome !== undefined) throw new Error('answered twice');
    this.outcome = outcome;
    this.#told.resolve(outcome);
  }
}

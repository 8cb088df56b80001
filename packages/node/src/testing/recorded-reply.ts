import type { CopiedEntry, EntryMemory, EntryRef, Reply } from '@larder/loader';
import type { LarderError } from '@larder/proto';

/** A reply that remembers what it was told, as a short text, and complains if it is told twice. */
export class RecordedReply implements Reply {
  told: string | undefined;
  error: LarderError | undefined;
  lease = 0;

  constructor(readonly memory: EntryMemory) {}

  entry(ref: EntryRef): void {
    const bytes = Buffer.alloc(this.memory.valueBytes(ref));
    this.memory.copyValue(ref, 0, bytes.length, bytes, 0);
    this.#tell(`value ${bytes}`);
  }

  value(bytes: Uint8Array): void {
    this.#tell(`value ${Buffer.from(bytes)}`);
  }

  copied({ bytes }: CopiedEntry): void {
    this.#tell(`value ${Buffer.from(bytes)}`);
  }

  miss(): void {
    this.#tell('miss');
  }

  leased(lease: number): void {
    this.lease = lease;
    this.#tell('leased');
  }

  refusedFill(): void {
    this.#tell('refused fill');
  }

  written(_epoch: number, _seq: number, copies: number): void {
    this.#tell(`written on ${copies}`);
  }

  found(found: boolean): void {
    this.#tell(found ? 'found' : 'not found');
  }

  failed(error: LarderError): void {
    this.error = error;
    this.#tell(error.outcome === undefined ? error.code : `${error.code} ${error.outcome}`);
  }

  later(): Reply {
    return this;
  }

  #tell(told: string): void {
    if (this.told !== undefined) throw new Error(`told '${told}' after '${this.told}'`);
    this.told = told;
  }
}

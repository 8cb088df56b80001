import type { Backoff } from '@larder/base';
import type { KeySlice, LarderError } from '@larder/proto';
import { sharedKey } from './key-text.js';

/** A key whose entry in memory is not yet in the origin. The value itself stays in memory. */
export class DirtyKey {
  /** Since when the origin lacks this key's latest write but one flush; of a flying key, the write being flushed. */
  sinceMs = 0;
  /** Position in the order in which keys became dirty. */
  order = 0;
  valueBytes = 0;
  /**
   * `shut`: its partition was taken over, and the owners before are not fenced off yet. `due`: refused, and to be tried
   * again now. `dead`: refused so often that only somebody who asks for it has it tried again.
   */
  state: 'queued' | 'shut' | 'flying' | 'refused' | 'due' | 'dead' = 'queued';
  /** When and in which order the key was written again during its flush; -1: it was not. */
  againSinceMs = -1;
  againOrder = 0;
  /** Set once the origin has refused the row: its delays, when it is tried again, and why it was refused. */
  backoff: Backoff | undefined = undefined;
  retryAtMs = 0;
  refusal: LarderError | undefined = undefined;
  /** How often the origin has refused this value. */
  attempts = 0;
  /** Waits until the key is in the origin, or the origin has refused it. */
  whenDone: ((refusal: LarderError | undefined) => void) | undefined = undefined;
  previous: DirtyKey | undefined = undefined;
  next: DirtyKey | undefined = undefined;

  readonly keyBytes: number;
  readonly partition: number;

  constructor(
    readonly text: string,
    key: KeySlice,
  ) {
    this.keyBytes = key.end - key.start;
    this.partition = key.partition;
  }

  /** Valid until the next key is asked for. */
  get key(): KeySlice {
    return sharedKey(this.text, this.partition);
  }

  get bytes(): number {
    return this.keyBytes + this.valueBytes;
  }
}

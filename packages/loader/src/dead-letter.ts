import type { LarderError } from '@larder/proto';

/** A row of write-behind that the origin refuses. It stays in memory, dirty, and counts among the pending writes. */
export interface DeadLetter {
  readonly key: string;
  /** Why. What a database says may quote the row's values. */
  readonly error: LarderError;
  /** How often the origin has refused this value. */
  readonly attempts: number;
  /** Since the write. */
  readonly ageMs: number;
  /** Until it is tried again; undefined: it is not, unless somebody asks for it. */
  readonly retryInMs: number | undefined;
}

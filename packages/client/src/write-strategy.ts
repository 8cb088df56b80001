import { LarderError, type OperationExtras, WriteMode } from '@larder/proto';
import { shownValue } from './shown-value.js';

/**
 * What a write does: `through`, the database first, then memory, then the answer; `behind`, memory and the answer, the
 * database later; `around`, the database only, and memory forgets the key; `memory`, memory only. All but `memory` need a
 * cache with a database. A write waits until an earlier one of its key, written in another way, has ended.
 */
export type WriteStrategy = 'through' | 'behind' | 'around' | 'memory';

const EXTRAS: Readonly<Record<WriteStrategy, OperationExtras>> = {
  memory: { write: WriteMode.memory },
  through: { write: WriteMode.through },
  behind: { write: WriteMode.behind },
  around: { write: WriteMode.around },
};

/** A write strategy as it travels; undefined: the cache's own. Throws BAD_ARGUMENT. */
export function wireWrite(given: WriteStrategy | undefined): OperationExtras | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && Object.hasOwn(EXTRAS, given)) return EXTRAS[given];
  const allowed = "'through', 'behind', 'around' and 'memory'";
  throw new LarderError('BAD_ARGUMENT', `write is ${shownValue(given)}; allowed are ${allowed}`, {
    outcome: 'not-applied',
  });
}

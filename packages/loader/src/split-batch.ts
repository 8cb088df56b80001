import { LarderError, type Outcome } from '@larder/proto';
import { blamesRow, toOriginError } from './origins/origin.js';

export interface BatchOutcome<T, R> {
  done(items: readonly T[], results: R): void;
  failed(items: readonly T[], error: LarderError): void;
}

/**
 * Runs a batch, and if one of its items is to blame for a failure, halves it until that item stands alone: one poison
 * row in a thousand costs about twenty statements and nobody else's write. Attempts follow each other, at most 2n - 1 for
 * n items, and when ATTEMPTS_MAX have been made what is left fails with BUSY, untried. When the origin fails altogether
 * the rest is not tried either.
 */
export async function splitBatch<T, R>(
  items: readonly T[],
  outcomeOfThrown: Outcome | undefined,
  attempt: (items: readonly T[]) => Promise<R>,
  outcome: BatchOutcome<T, R>,
): Promise<void> {
  const parts = [items];
  let attempts = 0;
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    if (attempts++ === ATTEMPTS_MAX) {
      parts.push(part);
      return leave(parts, tooManyRefused(outcomeOfThrown), outcome);
    }
    let results: R;
    try {
      results = await attempt(part);
    } catch (thrown) {
      const error = toOriginError(thrown, outcomeOfThrown);
      if (part.length > 1 && blamesRow(error)) {
        const middle = part.length >>> 1;
        parts.push(part.slice(middle), part.slice(0, middle));
        continue;
      }
      outcome.failed(part, error);
      if (!blamesRow(error)) return leave(parts, unsent(error), outcome);
      continue;
    }
    outcome.done(part, results);
  }
}

/** A batch of a thousand with a dozen poison rows stays below; one with hundreds must not become a storm of statements. */
const ATTEMPTS_MAX = 256;

function leave<T, R>(parts: (readonly T[])[], error: LarderError, outcome: BatchOutcome<T, R>): void {
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) outcome.failed(part, error);
}

/** The same failure for those who were not on their way when it happened. */
function unsent(error: LarderError): LarderError {
  if (error.outcome !== 'unknown') return error;
  const { code, reason, details } = error;
  return new LarderError(code, reason, { outcome: 'not-applied', cause: error, details });
}

function tooManyRefused(outcomeOfThrown: Outcome | undefined): LarderError {
  const message = `the origin refused too many rows of one batch; ${ATTEMPTS_MAX} statements did not tell them all apart`;
  return new LarderError('BUSY', message, { outcome: outcomeOfThrown && 'not-applied' });
}

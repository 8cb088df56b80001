import { LarderError, type Outcome } from '@larder/proto';
import { blamesRow, toOriginError } from './origins/origin.js';

export interface BatchOutcome<T, R> {
  done(items: readonly T[], results: R): void;
  failed(items: readonly T[], error: LarderError): void;
}

/**
 * Runs a batch, and if one of its items is to blame for a failure, halves it until that item stands alone: one poison
 * row in a thousand costs about twenty statements and nobody else's write. At most 2n - 1 attempts for n items, one
 * after the other. When the origin fails altogether the rest is not tried.
 */
export async function splitBatch<T, R>(
  items: readonly T[],
  outcomeOfThrown: Outcome | undefined,
  attempt: (items: readonly T[]) => Promise<R>,
  outcome: BatchOutcome<T, R>,
): Promise<void> {
  const parts = [items];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
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
      if (!blamesRow(error)) return giveUp(parts, error, outcome);
      continue;
    }
    outcome.done(part, results);
  }
}

function giveUp<T, R>(parts: (readonly T[])[], error: LarderError, outcome: BatchOutcome<T, R>): void {
  if (parts.length === 0) return;
  const { code, reason, details } = error;
  const unsent = error.outcome && new LarderError(code, reason, { outcome: 'not-applied', cause: error, details });
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) outcome.failed(part, unsent ?? error);
}

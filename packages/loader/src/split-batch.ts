import { LarderError, type Outcome } from '@larder/proto';
import { blamesRow, toOriginError } from './origins/origin.js';

export interface BatchOutcome<T, R> {
  /** The item that a failure names, if it names one: the batch is cut there first. A wrong name costs attempts only. */
  named?(items: readonly T[], error: LarderError): number;
  done(items: readonly T[], results: R): void;
  failed(items: readonly T[], error: LarderError): void;
}

/**
 * Runs a batch, and if one of its items is to blame for a failure, tells it apart: a large batch is cut into groups, and
 * a group that fails is halved until the item stands alone; where the origin names an item, that is cut out. One poison row in a thousand costs about thirty statements
 * and nobody else's write; ten cost little more than a hundred, where halving from the start would send most rows four times in
 * vain. Attempts follow each other, at most 2n - 1 for n items, and when ATTEMPTS_MAX have been made what is left fails
 * with BUSY, untried. When the origin fails altogether the rest is not tried either.
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
        parts.push(...smaller(part, outcome.named?.(part, error) ?? -1));
        continue;
      }
      outcome.failed(part, error);
      if (!blamesRow(error)) return leave(parts, unsent(error), outcome);
      continue;
    }
    outcome.done(part, results);
  }
}

/** About the best size to find one row in a hundred. Beyond twice that halving would be in vain if there are several. */
const GROUP_COUNT = 64;

/** The first is last, because that is taken next. */
function smaller<T>(part: readonly T[], at: number): (readonly T[])[] {
  if (at >= 0) {
    const cut = [part.slice(at + 1), part.slice(at, at + 1), part.slice(0, at)];
    return cut.filter(({ length }) => length > 0);
  }
  const count = part.length > 2 * GROUP_COUNT ? GROUP_COUNT : Math.ceil(part.length / 2);
  const parts: (readonly T[])[] = [];
  for (let from = 0; from < part.length; from += count) parts.unshift(part.slice(from, from + count));
  return parts;
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

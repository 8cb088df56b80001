import { LarderError, type Outcome } from '@larder/proto';
import { shownValue } from './shown-value.js';

/** What became of one key of a bulk call. */
export type KeyOutcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: LarderError };

/** Waits for all, which are as many as the keys; throws one BATCH error with `details.outcomes`, a Map of KeyOutcome by key text, if any failed. */
export async function settleAll<T>(keys: readonly string[], calls: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(calls);
  const failures = settled.filter((result) => result.status === 'rejected');
  if (failures.length === 0) return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
  const outcomes = new Map<string, KeyOutcome<T>>();
  settled.forEach((result, index) => {
    const key = keys[index] as string;
    if (result.status === 'fulfilled') outcomes.set(key, { ok: true, value: result.value });
    else outcomes.set(key, { ok: false, error: result.reason as LarderError });
  });
  const firstIndex = settled.findIndex((result) => result.status === 'rejected');
  const firstKey = shownValue(keys[firstIndex]);
  const first = failures[0]?.reason as LarderError;
  throw new LarderError(
    'BATCH',
    `${failures.length} of ${keys.length} keys failed, the first, ${firstKey}, with ${first.message}`,
    {
      outcome: commonOutcome(settled),
      cause: first,
      details: { outcomes },
    },
  );
}

/** What holds for every key: 'not-applied' would be a false promise if some were written. */
function commonOutcome(settled: readonly PromiseSettledResult<unknown>[]): Outcome | undefined {
  const outcomes = settled.map((result) =>
    result.status === 'rejected' ? (result.reason as LarderError).outcome : undefined,
  );
  if (outcomes.includes('unknown')) return 'unknown';
  return outcomes.every((outcome) => outcome === 'not-applied') ? 'not-applied' : undefined;
}

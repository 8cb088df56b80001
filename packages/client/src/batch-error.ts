import { LarderError } from '@larder/proto';

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
  const first = failures[0]?.reason as LarderError;
  throw new LarderError('BATCH', `${failures.length} of ${keys.length} keys failed, the first with ${first.message}`, {
    outcome: failures.some((failure) => (failure.reason as LarderError).outcome === 'unknown')
      ? 'unknown'
      : first.outcome,
    cause: first,
    details: { outcomes },
  });
}

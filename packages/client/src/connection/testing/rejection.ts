import { LarderError } from '@larder/proto';

/** The LarderError that the promise rejects with. Throws if it does not, or with something else. */
export async function rejection(promise: Promise<unknown>): Promise<LarderError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof LarderError) return error;
    throw error;
  }
  throw new Error(`resolved with ${String(value)} where an error was due`);
}

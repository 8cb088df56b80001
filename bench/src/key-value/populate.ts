import type { KeyValueClient } from '../rivals/client.js';
import { KEY_COUNT, KEYS, valueFor } from './key-space.js';

const CALLERS = 256;
const KEYS_BETWEEN_CHECKS = 97;

/** Sets every key. */
export function populate(client: KeyValueClient): Promise<void> {
  return forEveryKey(1, async (index) => {
    await client.set(KEYS[index]!, valueFor(index));
  });
}

/** Reads one key in 97 and fails unless its value is what `populate` and every later set wrote, byte for byte. */
export function verify(client: KeyValueClient): Promise<void> {
  return forEveryKey(KEYS_BETWEEN_CHECKS, async (index) => {
    const value = await client.get(KEYS[index]!);
    if (!value || !valueFor(index).equals(value))
      throw new Error(`${KEYS[index]} does not hold the value that was set`);
  });
}

async function forEveryKey(step: number, visit: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < KEY_COUNT) {
      const index = next;
      next += step;
      await visit(index);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

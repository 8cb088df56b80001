import type { KeyValueClient } from '../rivals/client.js';
import { getUntilOver, MeasuredWindow, type Measurement, type Operation, setUntilOver } from './closed-loop.js';
import { randomBytes } from './key-space.js';

/**
 * Do large values hold small operations up? A closed loop of small operations, as ever, while two more loops of the same
 * client move values of 1 MiB in the same direction.
 */
export const LARGE_LOOPS = 2;
export const LARGE_BYTES = 1_048_576;
export const SMALL_CALLERS = 64;

export interface BesideLargePlan {
  readonly operation: Operation;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

export interface BesideLargeMeasurement extends Measurement {
  /** Values of 1 MiB a second; all other figures are of the small operations alone, but for the CPU times. */
  readonly largeOps: number;
}

export async function besideLarge(
  client: KeyValueClient,
  serverPids: readonly number[],
  plan: BesideLargePlan,
): Promise<BesideLargeMeasurement> {
  const values = Array.from({ length: LARGE_LOOPS }, (_, index) => randomBytes(LARGE_BYTES, index));
  await Promise.all(values.map((value, index) => client.set(largeKey(index), value)));
  const window = new MeasuredWindow(plan.warmUpMs, plan.windowMs, serverPids);
  const caller = plan.operation === 'get' ? getUntilOver : setUntilOver;
  const callers = Array.from({ length: SMALL_CALLERS }, () => caller(client, window));
  const loops = values.map((value, index) => largeUntilOver(client, plan.operation, index, value, window));
  await Promise.all(callers);
  const largeCounts = await Promise.all(loops);
  const largeCount = largeCounts.reduce((sum, count) => sum + count, 0);
  return { ...window.measurement(), largeOps: Math.round((largeCount / plan.windowMs) * 1_000) };
}

async function largeUntilOver(
  client: KeyValueClient,
  operation: Operation,
  index: number,
  value: Buffer,
  window: MeasuredWindow,
): Promise<number> {
  let count = 0;
  while (!window.isOver) {
    if (operation === 'set') await client.set(largeKey(index), value);
    else await getLarge(client, index);
    if (window.isMeasuring) count++;
  }
  return count;
}

async function getLarge(client: KeyValueClient, index: number): Promise<void> {
  const value = await client.get(largeKey(index));
  if (value?.length !== LARGE_BYTES) {
    throw new Error(`get of ${largeKey(index)} gave ${value?.length ?? 'no'} bytes, not ${LARGE_BYTES}`);
  }
}

function largeKey(index: number): string {
  return `large:${index}`;
}

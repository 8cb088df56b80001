import { seededRandom, sleep, systemClock } from '@larder/base';
import { LarderError, OperationKind } from '@larder/proto';
import { expect, test } from 'vitest';
import { bytes } from './codecs/bytes.js';
import { connectTo, startNode } from './connection/testing/connected.js';
import type { SentOperation } from './connection/testing/scripted-session.js';

/**
 * The promise that matters most: a write that the client calls `not-applied` is never done by the node, and one that it
 * acknowledges has been. Here a node misbehaves in every way by chance while callers write, abort and run out of time.
 * And whatever the client sends again can be recognized: a request is always the same write, and a retry if it was taken.
 */

const CALLERS = 24;
const WRITES_PER_CALLER = 60;
const LARGE = 150_000;

test.each([1, 2, 3])('whatever the node does, each write ends, and its outcome is true (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const chance = (share: number): boolean => random.next() < share;
  const node = await startNode();
  const received = new Set<string>();
  /** By number: the write, and whether the node may have done it. */
  const requests = new Map<number, { readonly name: string; wasTaken: boolean }>();
  const mistakes: string[] = [];
  const recognize = ({ request, value, isRetry }: SentOperation, isTaken: boolean): void => {
    const name = value?.toString('latin1', 0, 12) ?? '';
    const known = requests.get(request) ?? { name, wasTaken: false };
    if (known.name !== name) mistakes.push(`${request} is ${known.name} and ${name}`);
    if (known.wasTaken && !isRetry) mistakes.push(`${request} was taken, and comes again as if it were new`);
    requests.set(request, { name, wasTaken: known.wasTaken || isTaken });
  };
  const note = (value: Buffer | undefined): void => {
    if (value !== undefined) received.add(value.toString('latin1', 0, 12));
  };
  node.script = (operations) => {
    for (const operation of operations) {
      const { session } = operation;
      const isRefused = operation.kind === OperationKind.set && chance(0.06);
      if (operation.kind === OperationKind.set) recognize(operation, !isRefused);
      if (isRefused) {
        session.failed(operation, new LarderError('BUSY', 'by chance', { outcome: 'not-applied' }));
        continue;
      }
      note(operation.value);
      if (chance(0.04)) continue;
      node.behave([operation]);
      if (chance(0.004)) misbehave(operation);
    }
  };
  const misbehave = ({ session }: SentOperation): void => {
    const way = random.integer(4);
    if (way === 0) session.end();
    else if (way === 1) session.sendBytes(Buffer.from([0x0a, 0x7f]));
    else if (way === 2) session.refuse(new LarderError('UNAVAILABLE', 'by chance'));
    else session.send((writer) => writer.miss(60_000));
  };
  node.bulkScript = (request, bulk) => {
    if (chance(0.03)) return;
    bulk.answer(request);
    for (const entry of node.store.entries.values()) if (entry.value.length === LARGE) note(entry.value);
    if (chance(0.03)) bulk.stream.end();
  };

  const larder = await connectTo(node, { timeout: 120 });
  const cache = larder.cache('blobs', { codec: bytes() });
  const ends = new Map<string, string>();
  const write = async (caller: number, turn: number): Promise<void> => {
    const name = `${seed}-${caller}-${turn}`.padEnd(12, ' ');
    const value = chance(0.1) ? Buffer.alloc(LARGE, name) : Buffer.from(name);
    const abort = new AbortController();
    const call = cache.set(`key-${caller}`, value, chance(0.2) ? { signal: abort.signal } : {});
    const moment = random.integer(4);
    if (moment < 2) abort.abort();
    else if (moment === 2) setImmediate(() => abort.abort());
    const end = await call.then(
      () => 'applied',
      (error: LarderError) => error.outcome as string,
    );
    ends.set(name, end);
  };
  let running = CALLERS;
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let turn = 0; turn < WRITES_PER_CALLER; turn++) {
      await write(caller, turn);
      await cache.get(`key-${caller}`).catch(() => {});
      if (chance(0.2)) await sleep(systemClock, random.integer(20));
    }
    running--;
  });
  while (running > 0) {
    await sleep(systemClock, 150);
    if (!chance(0.4)) continue;
    node.kill();
    await node.listen();
  }
  await Promise.all(callers);
  larder.destroy();

  expect(ends.size).toBe(CALLERS * WRITES_PER_CALLER);
  const untrue = [...ends].filter(
    ([name, end]) => (end === 'applied' && !received.has(name)) || (end === 'not-applied' && received.has(name)),
  );
  expect(untrue).toEqual([]);
  expect(mistakes).toEqual([]);
  expect(requests.size).toBeGreaterThan(CALLERS);
  expect(new Set(ends.values())).toEqual(new Set(['applied', 'not-applied', 'unknown']));
});

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { Origin, OriginRow } from '../origins/origin.js';

/**
 * The laws of an origin (origins/origin.ts) as checks, for the origins of this package and for those that users write. A
 * law makes an origin, tries it, closes it, and rejects with an AssertionError if it does not keep the law. It needs no
 * test runner:
 *
 *     for (const law of originLaws) test(law.name, () => law.check(subject));
 */
export interface OriginLaw {
  /** A sentence of behaviour. */
  readonly name: string;
  check(subject: OriginSubject): Promise<void>;
}

/** An origin to be tried. */
export interface OriginSubject {
  /** A new origin without rows. */
  create(): TriedOrigin | Promise<TriedOrigin>;
  /** The n-th key, from 0 to 999; all are different. */
  key(n: number): string;
  /** A value that a row may have; n is from 0 to 9,999. Read back it must have the same bytes, or be the same JSON. */
  value(n: number): Uint8Array;
  /** A row whose key is not among those from 100 on, and that the origin refuses. Default: there is none. */
  readonly refused?: OriginRow;
  /** Keys that no row can have: another spelling of a key above all. Default: there are none. */
  readonly impossible?: readonly string[];
}

/** What the laws are about. */
export type TriedOrigin = Pick<Origin, 'callMsMax' | 'loadMany' | 'writeMany' | 'deleteMany'> & Partial<Origin>;

/** A call that takes longer holds a caller and a statement of the cache. */
const CALL_MS_MAX = 3_600_000;

export const originLaws: readonly OriginLaw[] = [
  law('answers a load in the order of the keys, and what has no row is undefined', async (trial) => {
    await trial.write([1, 10], [3, 30], [2, 20]);
    await trial.expect([3, 30], [4, undefined], [1, 10], [2, 20]);
    await trial.expect([4, undefined]);
  }),

  law('a key that no row can have is missing, not an error', async (trial) => {
    const { origin, subject } = trial;
    const impossible = subject.impossible ?? [];
    await trial.write([1, 10]);
    const values = await origin.loadMany([...impossible, subject.key(1)], never);
    assert.equal(values.length, impossible.length + 1);
    for (const [index, key] of impossible.entries()) assert.equal(values[index], undefined, `'${key}' has a value`);
    trial.assertValue(values.at(-1), 10);
    const deleted = await origin.deleteMany([...impossible, subject.key(1)]);
    assert.deepEqual(deleted, [...impossible.map(() => false), true]);
  }),

  law('a key that no row can have cannot be written', async ({ origin, subject }) => {
    for (const key of subject.impossible ?? []) {
      await assertRefused(origin.writeMany([{ key, value: subject.value(1) }]));
    }
  }),

  law('a write inserts what is new and replaces what is there', async (trial) => {
    await trial.write([1, 10], [2, 20]);
    await trial.write([2, 21], [3, 31]);
    await trial.expect([1, 10], [2, 21], [3, 31]);
  }),

  law('a write that is repeated changes nothing', async (trial) => {
    await trial.write([1, 10], [2, 20]);
    await trial.write([1, 10], [2, 20]);
    await trial.expect([1, 10], [2, 20]);
  }),

  law('a write with a row that is refused is not applied at all, and the error blames a row', async (trial) => {
    const { origin, subject } = trial;
    if (subject.refused === undefined) return;
    await trial.write([101, 10]);
    const error = await assertRefused(origin.writeMany([trial.row(101, 11), subject.refused, trial.row(103, 30)]));
    assert.notEqual(error.details?.blames, 'statement', 'a row is to blame, not the statement');
    await trial.expect([101, 10], [103, undefined]);
  }),

  law('a delete tells for each key whether there was a row', async (trial) => {
    const { origin, subject } = trial;
    await trial.write([1, 10], [2, 20]);
    assert.deepEqual(await origin.deleteMany([2, 5, 1].map(subject.key)), [true, false, true]);
    await trial.expect([1, undefined], [2, undefined]);
    assert.deepEqual(await origin.deleteMany([subject.key(1)]), [false]);
  }),

  law('the buffers of a write may be used again afterwards', async (trial) => {
    const bytes = Uint8Array.from(trial.subject.value(10));
    await trial.origin.writeMany([{ key: trial.subject.key(1), value: bytes }]);
    bytes.fill(0);
    await trial.expect([1, 10]);
  }),

  law('a thousand rows at once', async (trial) => {
    const all = Array.from({ length: 1000 }, (_, n) => [n, n] as const);
    await trial.write(...all);
    await trial.expect(...all);
    const deleted = await trial.origin.deleteMany(all.map(([n]) => trial.subject.key(n)));
    assert.ok(deleted.length === all.length && deleted.every((was) => was), 'each of the rows was there');
  }),

  law('calls at the same time do not disturb each other', async (trial) => {
    const pairs = Array.from({ length: 30 }, (_, n) => [[2 * n, n] as const, [2 * n + 1, 100 + n] as const]);
    await Promise.all(pairs.map((pair) => trial.write(...pair)));
    await Promise.all(pairs.map((pair) => trial.expect(...pair)));
  }),

  law('states how long a call can take', async ({ origin: { callMsMax } }) => {
    assert.ok(callMsMax > 0 && callMsMax <= CALL_MS_MAX, `callMsMax is ${callMsMax}; allowed: 1 to ${CALL_MS_MAX}`);
  }),

  law('with a fence, raises it again and again, and goes on writing itself', async (trial) => {
    const { fence } = trial.origin;
    if (fence === undefined) return;
    await trial.write([1, 10]);
    await Promise.all([fence.raise(), fence.raise()]);
    await fence.raise();
    await trial.write([1, 11]);
    await trial.expect([1, 11]);
  }),
];

const never = new AbortController().signal;

function law(name: string, check: (trial: Trial) => Promise<void>): OriginLaw {
  return {
    name,
    async check(subject) {
      const trial = new Trial(await subject.create(), subject);
      try {
        await check(trial);
      } finally {
        await trial.origin.close?.();
      }
    },
  };
}

/** A key's number with its value's. */
type Pair = readonly [key: number, value: number];

class Trial {
  constructor(
    readonly origin: TriedOrigin,
    readonly subject: OriginSubject,
  ) {}

  row(key: number, value: number): OriginRow {
    return { key: this.subject.key(key), value: this.subject.value(value) };
  }

  async write(...pairs: readonly Pair[]): Promise<void> {
    await this.origin.writeMany(pairs.map(([key, value]) => this.row(key, value)));
  }

  async expect(...pairs: readonly (readonly [key: number, value: number | undefined])[]): Promise<void> {
    const values = await this.origin.loadMany(
      pairs.map(([key]) => this.subject.key(key)),
      never,
    );
    assert.equal(values.length, pairs.length, 'one value for each key');
    for (const [index, [, value]] of pairs.entries()) this.assertValue(values[index], value);
  }

  assertValue(found: Uint8Array | undefined, expected: number | undefined): void {
    if (found === undefined || expected === undefined) {
      assert.equal(found && textOf(found), expected, 'whether there is a row');
      return;
    }
    const wanted = textOf(this.subject.value(expected));
    const got = textOf(found);
    if (got !== wanted) assert.ok(isSameJson(got, wanted), `the value is ${got}, but ${wanted} was written`);
  }
}

async function assertRefused(write: Promise<void>): Promise<Fault> {
  const thrown: unknown = await write.then(
    () => assert.fail('the write was taken'),
    (error: unknown) => error,
  );
  if (thrown instanceof assert.AssertionError) throw thrown;
  const fault = thrown as Fault;
  assert.ok(
    REFUSALS.includes(fault.code),
    `the error's code is ${String(fault.code)}; allowed: ${REFUSALS.join(', ')}`,
  );
  assert.equal(fault.outcome, 'not-applied', "the error's outcome");
  return fault;
}

const REFUSALS: readonly unknown[] = ['ORIGIN', 'BAD_ARGUMENT', 'TOO_LARGE'];

interface Fault {
  readonly code?: unknown;
  readonly outcome?: unknown;
  readonly details?: { readonly blames?: unknown } | undefined;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function isSameJson(one: string, other: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(one), JSON.parse(other));
  } catch {
    return false;
  }
}

/**
 * Whatever the interleaving of gets, sets, deletes, loads, writes, failures and lost answers: a get never returns
 * anything older than what had been acknowledged when it began, and when everything has settled the memory does not
 * contradict the origin.
 *
 * Each write to a key has a number. A read of number n is right if no write above n was acknowledged before the read
 * began, and write n had begun before the read ended.
 */
import { keySlice, LarderError, WriteMode } from '@larder/proto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer, Outcome } from '../test/answer.js';
import { Rig } from '../test/rig.js';
import { EntryFlag } from './entry-memory.js';
import type { CachePolicy } from './policy.js';

const KEYS = ['a', 'b'];

interface Write {
  readonly number: number;
  readonly isDelete: boolean;
  readonly answer: Answer;
}

interface Read {
  readonly answer: Answer;
  /** The newest write that was acknowledged when the read began. */
  readonly atLeast: number;
  checked: boolean;
}

class KeyHistory {
  readonly writes: Write[] = [];
  readonly reads: Read[] = [];

  /** Writes follow each other in order, so the newest acknowledged one is a bound for reads. */
  get acknowledged(): number {
    return Math.max(0, ...this.writes.filter(({ answer }) => isApplied(answer.outcome)).map(({ number }) => number));
  }

  checkReads(): void {
    for (const read of this.reads) {
      const { outcome } = read.answer;
      if (read.checked || outcome === undefined) continue;
      read.checked = true;
      if (typeof outcome === 'object' && 'failed' in outcome) continue;
      if (outcome === 'miss') this.#checkMiss(read);
      else if (typeof outcome === 'object' && 'value' in outcome)
        expect(Number(outcome.value)).toBeGreaterThanOrEqual(read.atLeast);
    }
  }

  /** Right if nothing had been acknowledged, or a delete is the newest acknowledged write, or may be by now. */
  #checkMiss({ atLeast }: Read): void {
    const newest = this.writes.find(({ number }) => number === atLeast);
    const laterDelete = this.writes.some(({ number, isDelete }) => isDelete && number > atLeast);
    expect(atLeast === 0 || newest?.isDelete === true || laterDelete).toBe(true);
  }
}

function isApplied(outcome: Outcome | undefined): boolean {
  return typeof outcome === 'object' && ('written' in outcome || 'found' in outcome);
}

type Step =
  | { readonly kind: 'get' | 'set' | 'delete' | 'evict'; readonly key: number }
  | { readonly kind: 'set by' | 'delete by'; readonly key: number; readonly mode: number }
  | { readonly kind: 'switch'; readonly policy: number }
  | { readonly kind: 'open' | 'fail' | 'lose' | 'apply late'; readonly call: number }
  | { readonly kind: 'turn' | 'late writes' }
  | { readonly kind: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('get', 'get', 'get', 'set', 'delete', 'evict', 'evict'),
    key: fc.nat(KEYS.length - 1),
  }) as fc.Arbitrary<Step>,
  fc.record({
    kind: fc.constantFrom('open', 'open', 'open', 'open', 'open', 'fail', 'lose', 'apply late'),
    call: fc.nat(3),
  }) as fc.Arbitrary<Step>,
  fc.constant<Step>({ kind: 'turn' }),
  fc.constant<Step>({ kind: 'late writes' }),
  fc.record({ kind: fc.constant('advance'), ms: fc.nat(800) }) as fc.Arbitrary<Step>,
);

/** Calls ask for strategies of their own, and the policy changes under way. */
const stepOfMany: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: step },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('set by', 'set by', 'delete by'),
      key: fc.nat(KEYS.length - 1),
      mode: fc.constantFrom(WriteMode.through, WriteMode.behind, WriteMode.around),
    }) as fc.Arbitrary<Step>,
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('switch'), policy: fc.nat(2) }) as fc.Arbitrary<Step> },
);

class Run {
  readonly rig: Rig;
  readonly histories = KEYS.map(() => new KeyHistory());
  #number = 0;
  #opened = new Set<number>();

  constructor(readonly policies: readonly CachePolicy[]) {
    this.rig = new Rig(policies[0]!);
  }

  async take(given: Step): Promise<void> {
    switch (given.kind) {
      case 'turn':
        return turn();
      case 'late writes':
        return this.rig.origin.applyLateWrites();
      case 'advance':
        return this.rig.clock.advance(given.ms);
      case 'evict':
        return this.#evict(given.key);
      case 'get':
        return this.#get(given.key);
      case 'set':
      case 'delete':
        return this.#write(given.key, given.kind === 'delete', WriteMode.byPolicy);
      case 'set by':
      case 'delete by':
        return this.#write(given.key, given.kind === 'delete by', given.mode);
      case 'switch':
        return this.rig.setPolicy(this.policies[given.policy % this.policies.length]!);
      default:
        return this.#release(given.kind, given.call);
    }
  }

  async finish(): Promise<void> {
    this.rig.origin.gated = false;
    for (const [index] of this.rig.origin.calls.entries()) this.#open(index);
    this.rig.origin.applyLateWrites();
    for (let round = 0; round < 40; round++) {
      for (let count = 0; count < 4; count++) await turn();
      this.rig.clock.advance(1000);
    }
  }

  /** The memory needs room; what is dirty is pinned. */
  #evict(key: number): void {
    const { memory } = this.rig;
    const slice = keySlice(Buffer.from(KEYS[key] as string));
    const ref = memory.peek(slice);
    if (ref !== 0 && (memory.flags(ref) & EntryFlag.dirty) === 0) memory.remove(slice);
  }

  #get(key: number): void {
    const history = this.histories[key] as KeyHistory;
    const atLeast = history.acknowledged;
    history.reads.push({ answer: this.rig.get(KEYS[key] as string, 1_000_000), atLeast, checked: false });
  }

  #write(key: number, isDelete: boolean, mode: number): void {
    const number = ++this.#number;
    const name = KEYS[key] as string;
    const answer = isDelete
      ? this.rig.delete(name, 1_000_000, mode)
      : this.rig.set(name, `${number}`, 0, 1_000_000, mode);
    this.histories[key]?.writes.push({ number, isDelete, answer });
  }

  #release(kind: 'open' | 'fail' | 'lose' | 'apply late', nth: number): void {
    const waiting = this.rig.origin.calls.map((_, index) => index).filter((index) => !this.#opened.has(index));
    const index = waiting[nth % Math.max(1, waiting.length)];
    if (index === undefined) return;
    const call = this.rig.origin.calls[index];
    this.#opened.add(index);
    if (kind === 'open') call?.open();
    else if (kind === 'lose') call?.loseAnswer(new Error('connection reset'));
    else if (kind === 'apply late') call?.applyLate(new Error('connection reset'));
    else call?.fail(new LarderError('ORIGIN_UNAVAILABLE', 'no connection', { outcome: 'not-applied' }));
  }

  #open(index: number): void {
    if (!this.#opened.has(index)) this.rig.origin.calls[index]?.open();
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function check(policies: readonly CachePolicy[], steps: readonly Step[]): Promise<void> {
  const run = new Run(policies);
  for (const next of steps) {
    await run.take(next);
    for (const history of run.histories) history.checkReads();
  }
  await run.finish();
  for (const [index, history] of run.histories.entries()) {
    history.checkReads();
    const key = KEYS[index] as string;
    const outcomes = [...history.reads, ...history.writes].map(({ answer }) => answer.outcome);
    expect(outcomes).not.toContain(undefined);
    const final = await run.rig.get(key, 1_000_000).told;
    const row = run.rig.rowText(key);
    expect(typeof final === 'object' && 'value' in final ? final.value : undefined).toBe(row);
  }
  expect(run.rig.loader.statistics().pendingWrites).toBe(0);
}

describe('in any order of events', () => {
  const limits = { maxStatements: 2, maxBatch: 2 };
  const common = { read: 'through', negativeTtl: '10m', loads: limits, writes: limits } as const;
  const through: CachePolicy = { ...common, write: 'through' };
  const around: CachePolicy = { ...common, write: 'around' };
  const behind: CachePolicy = { ...common, write: 'behind', writeBehind: { ...limits, maxDelay: '300ms' } };
  test.each<[string, readonly CachePolicy[]]>([
    ['write-through', [through]],
    ['write-around', [around]],
    ['write-behind', [behind]],
    ['strategies by call and by a policy that changes', [behind, through, around]],
  ])(
    '%s: no get returns less than what was acknowledged before it, and memory ends as the origin does',
    async (_, policies) => {
      const steps = policies.length === 1 ? step : stepOfMany;
      await fc.assert(
        fc.asyncProperty(fc.array(steps, { maxLength: 80, size: 'max' }), (given) => check(policies, given)),
        { numRuns: 300 },
      );
    },
  );
});

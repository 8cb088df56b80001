import { setTimeout as sleep } from 'node:timers/promises';
import { type Cache, LarderError } from '@larder/client';
import { changedThing, type Thing } from '../database/things-table.js';

/** What the callers of one kind saw. */
export interface Seen {
  calls: number;
  /** Calls by the code of their error. */
  readonly failures: Record<string, number>;
  stale: number;
  readonly latenciesMs: number[];
}

export interface TrafficPlan {
  /** Ids of rows that every cache has. */
  readonly warmIds: readonly number[];
  /** Ids that are asked for once each, for misses. */
  readonly coldIds: readonly number[];
  /** Ids that are written again and again. */
  readonly writtenIds: readonly number[];
  readonly callsPerSecond: number;
}

export interface TrafficCaches {
  readonly kept: Cache<Thing>;
  readonly stale: Cache<Thing>;
  readonly behind: Cache<Thing>;
}

const TICK_MS = 20;

/** Hits, reads of entries whose life is over, misses and write-behind writes, each at the same steady rate. */
export class Traffic {
  readonly hits = seen();
  readonly staleReads = seen();
  readonly misses = seen();
  readonly writes = seen();
  /** The number of the newest acknowledged write of each row. */
  readonly acknowledged = new Map<number, number>();
  readonly #underWay = new Set<Promise<void>>();
  #round = 0;
  #isOver = false;

  constructor(
    readonly caches: TrafficCaches,
    readonly plan: TrafficPlan,
  ) {}

  /** Goes on until `end`. */
  async run(): Promise<void> {
    const startMs = performance.now();
    while (!this.#isOver) {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * this.plan.callsPerSecond);
      while (this.#round < due) this.#callAll(this.#round++);
      await sleep(TICK_MS);
    }
    await Promise.all(this.#underWay);
  }

  end(): void {
    this.#isOver = true;
  }

  #callAll(round: number): void {
    const { kept, stale, behind } = this.caches;
    const { warmIds, coldIds, writtenIds } = this.plan;
    const warm = idAt(warmIds, round);
    this.#call(this.hits, async () => found(await kept.get(warm)));
    this.#call(this.staleReads, async () => {
      const entry = await stale.entry(warm);
      if (found(entry).stale) this.staleReads.stale++;
    });
    const cold = coldIds[round];
    if (cold !== undefined) this.#call(this.misses, () => kept.get(cold));
    const written = idAt(writtenIds, round);
    this.#call(this.writes, async () => {
      await behind.set(written, changedThing(written, String(round)));
      this.acknowledged.set(written, Math.max(round, this.acknowledged.get(written) ?? 0));
    });
  }

  #call(kind: Seen, call: () => Promise<unknown>): void {
    const startMs = performance.now();
    kind.calls++;
    const done = call()
      .catch((error: unknown) => {
        const code = error instanceof LarderError ? error.code : String(error);
        kind.failures[code] = (kind.failures[code] ?? 0) + 1;
      })
      .then(() => {
        kind.latenciesMs.push(performance.now() - startMs);
        this.#underWay.delete(done);
      });
    this.#underWay.add(done);
  }
}

function seen(): Seen {
  return { calls: 0, failures: {}, stale: 0, latenciesMs: [] };
}

function idAt(ids: readonly number[], round: number): number {
  return ids[round % ids.length] as number;
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a row that was there is missing');
  return value;
}

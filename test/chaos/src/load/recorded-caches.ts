import { type Cache, type Larder, LarderError } from '@larder/client';
import { CACHE_KINDS, type CacheKind, type CallRecord } from '../check/call-record.js';
import type { KeyLife } from './key-lives.js';
import { monotonicMs } from './monotonic.js';

/** What a value of the chaos caches is: a row of a table with these columns, `key` being its key. */
interface Row {
  readonly value: string;
}

export interface RecorderHost {
  readonly client: string;
  recorded(record: CallRecord, life: KeyLife): void;
  /** What no client may meet: an error that is none of Larder's. */
  bug(message: string): void;
}

/** Calls of the public client, each recorded with its beginning, its end and its outcome. */
export class RecordedCaches {
  readonly #caches: ReadonlyMap<CacheKind, Cache<Row>>;
  /** When the calls in flight began. */
  readonly #inFlight = new Set<{ readonly beganMs: number }>();
  readonly #loading = new Set<string>();
  #values = 0;

  constructor(
    larder: Larder,
    private readonly host: RecorderHost,
  ) {
    this.#caches = new Map(CACHE_KINDS.map((kind) => [kind, larder.cache<Row>(kind)]));
  }

  /** Every call that began before has been recorded. */
  get recordedUntilMs(): number {
    let until = monotonicMs();
    for (const { beganMs } of this.#inFlight) until = Math.min(until, beganMs);
    return until;
  }

  /** Whether it was answered. No call here ever rejects. */
  async get(life: KeyLife): Promise<boolean> {
    return this.#record(life, { kind: 'get' }, async (of) => ({ result: (await of.get(life.key))?.value }));
  }

  async set(life: KeyLife): Promise<boolean> {
    const value = this.#newValue();
    return this.#record(life, { kind: 'set', value }, async (of) => {
      const { version } = await of.set(life.key, { value });
      // What went to the database only has no version.
      return version === 0n ? {} : { version };
    });
  }

  async delete(life: KeyLife): Promise<boolean> {
    return this.#record(life, { kind: 'delete' }, async (of) => ({ result: await of.delete(life.key) }));
  }

  /**
   * A get and, after a miss, a set whose outcome nobody is told. That the load was asked for does not mean that there was
   * nothing: it is asked for as well if the cluster is away. Callers of one process would share a load: a second one
   * reads instead.
   */
  async getOrSet(life: KeyLife): Promise<boolean> {
    const { cache, key } = life;
    if (this.#loading.has(key)) return this.get(life);
    this.#loading.add(key);
    const value = this.#newValue();
    let isLoaded = false;
    const beganMs = monotonicMs();
    const load = (): Row => {
      isLoaded = true;
      return { value };
    };
    try {
      return await this.#record(life, { kind: 'get' }, async (of) => {
        const found = await of.getOrSet(key, load);
        return isLoaded ? undefined : { result: found.value };
      });
    } finally {
      this.#loading.delete(key);
      if (isLoaded) {
        const set = { cache, key, kind: 'set', value, outcome: 'unknown' } as const;
        this.host.recorded({ ...set, client: this.host.client, beganMs, endedMs: monotonicMs() }, life);
      }
    }
  }

  #newValue(): string {
    return `${this.host.client}-${++this.#values}`;
  }

  /** An answer that says nothing is not recorded. */
  async #record(
    life: KeyLife,
    call: Pick<CallRecord, 'kind' | 'value'>,
    run: (cache: Cache<Row>) => Promise<Partial<CallRecord> | undefined>,
  ): Promise<boolean> {
    const flight = { beganMs: monotonicMs() };
    this.#inFlight.add(flight);
    const { cache, key } = life;
    const begun = { cache, key, ...call, client: this.host.client, ...flight };
    try {
      const answer = await run(this.#caches.get(cache) as Cache<Row>);
      if (answer !== undefined) {
        this.host.recorded({ ...begun, endedMs: monotonicMs(), outcome: 'ok', ...answer }, life);
      }
      return true;
    } catch (error) {
      if (!(error instanceof LarderError)) this.host.bug(String(error instanceof Error ? error.stack : error));
      const outcome = call.kind === 'get' || isNotApplied(error) ? 'failed' : 'unknown';
      this.host.recorded({ ...begun, endedMs: monotonicMs(), outcome, error: String(error) }, life);
      return false;
    } finally {
      this.#inFlight.delete(flight);
    }
  }
}

function isNotApplied(error: unknown): boolean {
  return error instanceof LarderError && error.outcome === 'not-applied';
}

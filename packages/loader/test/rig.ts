import { ManualClock, seededRandom } from '@larder/base';
import { type KeySlice, keySlice, TTL_DEFAULT, WriteMode } from '@larder/proto';
import type { RequestId } from '../src/entry-memory.js';
import { Loader } from '../src/loader.js';
import { type CachePolicy, resolveCachePolicy } from '../src/policy.js';
import { Answer, type Outcome } from './answer.js';
import { GatedOrigin } from './gated-origin.js';
import { MapMemory } from './map-memory.js';

/** Stands in where a policy must name an origin; the rig hands the loader its own. */
const ORIGIN = { postgresTable: { table: 'things', key: 'id' } };

/** One cache's loader on a clock that the test moves, with an origin that the test opens call by call. */
export class Rig {
  readonly clock = new ManualClock();
  readonly memory = new MapMemory(this.clock);
  readonly loader: Loader;

  constructor(
    policy: CachePolicy,
    readonly origin: GatedOrigin = new GatedOrigin(),
  ) {
    const hasOrigin = policy.read === 'through' || (policy.write !== undefined && policy.write !== 'memory');
    this.loader = new Loader({
      name: 'things',
      policy: resolveCachePolicy(hasOrigin ? { jitter: 0, ...policy, origin: ORIGIN } : policy, 'caches.things'),
      memory: this.memory,
      origin: hasOrigin ? origin : undefined,
      clock: this.clock,
      random: seededRandom(1),
    });
  }

  get(key: string | KeySlice, timeoutMs = 1000): Answer {
    return this.#answered((answer) => this.loader.get(slice(key), answer, timeoutMs));
  }

  set(
    key: string | KeySlice,
    value: string,
    ttlMs = TTL_DEFAULT,
    timeoutMs = 1000,
    mode: number = WriteMode.byPolicy,
  ): Answer {
    // The value lies in the middle of a buffer that is overwritten afterwards, as in a frame.
    const bytes = Buffer.from(`<<${value}>>`);
    const end = bytes.length - 2;
    const answer = this.#answered((reply) => this.loader.set(slice(key), bytes, 2, end, ttlMs, reply, timeoutMs, mode));
    bytes.fill(0);
    return answer;
  }

  /** A get with a ReadMode of its own. */
  read(key: string, mode: number, timeoutMs = 1000): Answer {
    return this.#answered((answer) => this.loader.read(slice(key), mode, answer, timeoutMs));
  }

  /** The remaining life that callers are shown. */
  lifeMs(key: string): number {
    return this.memory.remainingMs(this.memory.peek(slice(key)));
  }

  /** A get that asks for a fill lease. */
  lease(key: string, holder: object = this, timeoutMs = 1000): Answer {
    return this.#answered((answer) => this.loader.lease(slice(key), answer, timeoutMs, holder));
  }

  /** The number of the lease that it gets at once. */
  leased(key: string, holder: object = this): number {
    const { outcome } = this.lease(key, holder);
    if (typeof outcome !== 'object' || !('leased' in outcome)) throw new Error(`no lease: ${JSON.stringify(outcome)}`);
    return outcome.leased;
  }

  fill(key: string, lease: number, value: string, mode: number = WriteMode.byPolicy): Answer {
    const bytes = Buffer.from(value);
    return this.#answered((answer) =>
      this.loader.fill(slice(key), lease, bytes, 0, bytes.length, TTL_DEFAULT, answer, 1000, mode),
    );
  }

  release(key: string, lease: number): boolean {
    return this.loader.release(slice(key), lease);
  }

  /** A set that is written in this way, whatever the policy says. */
  setBy(mode: Exclude<keyof typeof WriteMode, 'byPolicy'>, key: string, value: string, timeoutMs = 1000): Answer {
    return this.set(key, value, TTL_DEFAULT, timeoutMs, WriteMode[mode]);
  }

  delete(key: string | KeySlice, timeoutMs = 1000, mode: number = WriteMode.byPolicy): Answer {
    return this.#answered((answer) => this.loader.delete(slice(key), answer, timeoutMs, mode));
  }

  /** The same request again; undefined: it is not under way. */
  join(request: RequestId): Answer | undefined {
    const answer = new Answer(this.memory);
    return this.loader.join(request, answer) ? answer : undefined;
  }

  /** As after a SIGHUP. */
  setPolicy(policy: CachePolicy): void {
    this.loader.setPolicy(resolveCachePolicy({ jitter: 0, ...policy, origin: ORIGIN }, 'caches.things'));
  }

  expire(key: string, ttlMs: number): Answer {
    return this.#answered((answer) => this.loader.expire(slice(key), ttlMs, answer));
  }

  /** A row that is in the origin already. */
  async row(key: string, value: string): Promise<void> {
    await this.origin.rows.writeMany([{ key, value: Buffer.from(value) }]);
  }

  /** What the origin's row holds. */
  rowText(key: string): string | undefined {
    return textOf(this.origin.rows.row(key));
  }

  #answered(call: (answer: Answer) => void): Answer {
    const answer = new Answer(this.memory);
    call(answer);
    if (answer.outcome === undefined && !answer.isLater) throw new Error('neither answered nor to be answered later');
    return answer;
  }
}

/** Lets everything go on that needs no clock: batches that leave at the end of the turn, promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The key in the middle of a buffer, as in a frame. */
function slice(key: string | KeySlice): KeySlice {
  if (typeof key !== 'string') return key;
  const bytes = Buffer.from(`..${key}..`);
  const { partition } = keySlice(Buffer.from(key));
  return { bytes, start: 2, end: bytes.length - 2, partition };
}

/** The code and the outcome of a failure. */
export function failure(outcome: Outcome | undefined): string {
  if (typeof outcome !== 'object' || !('failed' in outcome)) return `did not fail: ${JSON.stringify(outcome)}`;
  const { code, outcome: applied } = outcome.failed;
  return applied === undefined ? code : `${code} ${applied}`;
}

export function message(outcome: Outcome | undefined): string {
  return typeof outcome === 'object' && 'failed' in outcome ? outcome.failed.message : 'did not fail';
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

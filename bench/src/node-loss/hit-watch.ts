import { systemClock } from '@larder/base';
import { AdminClient, type NodeStatistics } from '@larder/node/internal';
import { nowMs } from './open-loop.js';

/** What the nodes have counted up to a moment. A node that does not answer keeps what it said last. */
export interface Counted {
  readonly atMs: number;
  readonly hits: number;
  readonly misses: number;
  readonly loads: number;
  readonly missesCold: number;
  readonly missesExpired: number;
  readonly missesEvicted: number;
  readonly missesInvalidated: number;
  readonly missesMoved: number;
  readonly missesLoadFailed: number;
}

export const COUNTERS = [
  'hits',
  'misses',
  'loads',
  'missesCold',
  'missesExpired',
  'missesEvicted',
  'missesInvalidated',
  'missesMoved',
  'missesLoadFailed',
] as const satisfies readonly (keyof Counted)[];

const PERIOD_MS = 100;
const ANSWER_MS = 1_000;

/** Asks every node again and again for its counters. */
export class HitWatch {
  readonly samples: Counted[] = [];
  readonly #clients: readonly AdminClient[];
  readonly #latest = new Map<string, Omit<Counted, 'atMs'>>();
  readonly #asked = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    addresses: readonly string[],
    readonly cache: string,
  ) {
    this.#clients = addresses.map((address) => new AdminClient(address, systemClock, ANSWER_MS));
    this.#timer = setInterval(() => this.#sample(), PERIOD_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#asked);
    for (const client of this.#clients) client.close();
  }

  #sample(): void {
    const latest = [...this.#latest.values()];
    const sums = COUNTERS.map((name) => [name, latest.reduce((sum, node) => sum + node[name], 0)] as const);
    // One of each name.
    this.samples.push({ atMs: nowMs(), ...(Object.fromEntries(sums) as Omit<Counted, 'atMs'>) });
    for (const client of this.#clients) {
      const asked = this.#ask(client).finally(() => this.#asked.delete(asked));
      this.#asked.add(asked);
    }
  }

  async #ask(client: AdminClient): Promise<void> {
    try {
      const { caches } = await client.call<NodeStatistics>('GetStatistics', {});
      const found = caches.find(({ name }) => name === this.cache);
      if (found !== undefined) this.#latest.set(client.address, found);
    } catch {
      // The node is away.
    }
  }
}

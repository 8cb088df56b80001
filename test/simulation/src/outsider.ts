import { type Random, seededRandom } from '@larder/base';
import type { Cluster } from './cluster.js';
import type { Operation } from './history.js';
import type { Answer, Request } from './operation-executor.js';

/**
 * Somebody who changes rows behind the cluster's back and then invalidates what the cache has of them, and who clears the
 * cache that has no origin; and readers who check what that promises: who begins to read when an invalidation was
 * acknowledged is not told what was there before. It draws its chances by itself.
 */
const TRY_MS = 400;
const READERS = 3;
const CLEAR_SHARE = 0.4;

export class Outsider {
  readonly #random: Random;
  /** By value: since when nobody may be told it any more. */
  readonly #outdatedMs = new Map<string, number>();
  #values = 0;
  #number = 0;
  #underWay = 0;
  stopped = false;

  constructor(
    readonly cluster: Cluster,
    readonly everyMs: number,
  ) {
    this.#random = seededRandom(cluster.options.seed ^ 0x0075de);
    cluster.network.add({ name: NAME, deliver: (run) => run(), linkOpened: () => {} });
    for (let partition = 0; partition < cluster.options.partitions; partition++) this.#writeRow(partition);
    this.#later(everyMs, () => this.#act());
    for (let reader = 0; reader < READERS; reader++) this.#later(everyMs, () => this.#read());
  }

  get busy(): boolean {
    return this.#underWay > 0;
  }

  #act(): void {
    const { cluster } = this;
    const partition = this.#random.integer(cluster.options.partitions);
    const again = (): void => this.#later(this.everyMs, () => this.#act());
    if (this.#random.next() < CLEAR_SHARE) {
      const beganMs = cluster.world.now;
      this.#call(partition, 'none', { kind: 'clear' }, () => {
        this.#cleared(partition, beganMs);
        again();
      });
      return;
    }
    const before = this.#writeRow(partition);
    this.#call(partition, 'outside', { kind: 'clear' }, () => {
      if (before !== undefined) this.#outdatedMs.set(before, cluster.world.now);
      again();
    });
  }

  /** At some moment between call and answer the keys were gone. */
  #cleared(partition: number, beganMs: number): void {
    const { history, keys, world } = this.cluster;
    for (const { name, strategy } of keys[partition]!) {
      if (strategy === 'none') history.begin(name, { kind: 'clear' }, NAME, beganMs).returnedMs = world.now;
    }
  }

  #read(): void {
    const { cluster } = this;
    const partition = this.#random.integer(cluster.options.partitions);
    const beganMs = cluster.world.now;
    this.#call(partition, 'outside', { kind: 'get' }, (answer) => {
      const value = answer.kind === 'done' ? String(answer.result) : '';
      const outdatedMs = this.#outdatedMs.get(value) ?? Number.POSITIVE_INFINITY;
      if (outdatedMs < beganMs) {
        cluster.fail(`${keyOf(partition)} is read as '${value}', which was invalidated before`);
      }
      this.#later(this.everyMs / 4, () => this.#read());
    });
  }

  /** Returns what was there. */
  #writeRow(partition: number): string | undefined {
    const { rows } = this.cluster.database;
    const key = keyOf(partition);
    const before = rows.get(key)?.value;
    rows.set(key, { epoch: 0, seq: 0, value: Buffer.from(`outside ${++this.#values}`) });
    return before === undefined ? undefined : Buffer.from(before).toString();
  }

  /** Asks the owner until it answers: to do it twice does no harm. */
  #call(partition: number, strategy: Request['strategy'], operation: Operation, done: (answer: Answer) => void): void {
    const number = ++this.#number;
    const id = { client: CLIENT, number, settledBelow: number };
    const key = keyOf(partition);
    this.#underWay++;
    const request = { partition, key, operation, id, retry: false, lost: 0, viewVersion: 0, strategy };
    this.#try(request, (answer) => {
      this.#underWay--;
      done(answer);
    });
  }

  #try(request: Request, done: (answer: Answer) => void): void {
    const { world, network, nodes, chosen } = this.cluster;
    const to = chosen?.partitions[request.partition]?.owner ?? '';
    let open = true;
    const once = (next: () => void): void => {
      if (!open) return;
      open = false;
      next();
    };
    const again = (): void => this.#try(request, done);
    world.after(TRY_MS, () => once(again));
    if (to === '') return;
    network.send(NAME, to, () =>
      nodes.get(to)!.execute(request, (answer) =>
        network.send(to, NAME, () =>
          once(() => {
            if (answer.kind === 'done') done(answer);
            else world.after(10 + this.#random.next() * 30, again);
          }),
        ),
      ),
    );
  }

  #later(meanMs: number, act: () => void): void {
    this.cluster.world.after(meanMs * (0.5 + this.#random.next()), () => {
      if (!this.stopped) act();
    });
  }
}

const NAME = 'outsider';
const CLIENT = 0x0075de;

function keyOf(partition: number): string {
  return `p${partition}outside0`;
}

import type { Random } from '@larder/base';
import type { Cluster, SimulatedKey } from './cluster.js';
import type { Operation } from './history.js';
import type { Answer, Request } from './operation-executor.js';
import { pick } from './options.js';

/**
 * A client: one call after another, each tried with the same request id until it is answered or its deadline is over,
 * and honest about what it does not know.
 */
const TRY_MS = 500;
const GIVE_UP_MS = 10_000;
/** Some calls have a deadline that leaves little time to try again, so that their outcome stays open. */
const HASTY_SHARE = 0.3;
/** Of calls that are about the key of the call before, whoever made that. */
const SAME_KEY_SHARE = 0.4;
/** Of calls that go to a key of a node that dies with what it could not pass on. */
const CROWD_SHARE = 0.8;
const HASTY_MS = 300;

export class SimulatedClient {
  #view: KnownView = { version: 0, owners: [], lost: [] };
  #number = 0;
  #values = 0;
  readonly #id: number;
  stopped = false;
  busy = false;

  constructor(
    readonly cluster: Cluster,
    readonly name: string,
    readonly random: Random,
  ) {
    this.#id = random.uint32();
    cluster.network.add({ name, deliver: (run) => run(), linkOpened: () => {} });
    this.#think();
  }

  #think(): void {
    this.busy = false;
    this.cluster.world.after(this.random.next() * this.cluster.options.thinkMsMax, () => {
      if (this.stopped) this.#think();
      else this.#call();
    });
  }

  #call(): void {
    const { cluster, random } = this;
    this.busy = true;
    const key = this.#key();
    const { partition } = key;
    const operation = key.strategy === 'through' ? this.#rowOperation() : this.#operation(key);
    if ('value' in operation) cluster.lastValues.set(key.name, operation.value);
    const number = ++this.#number;
    const request: Request = {
      partition,
      key: key.name,
      operation,
      id: { client: this.#id, number, settledBelow: number },
      retry: false,
      lost: this.#view.lost[partition] ?? 0,
      viewVersion: this.#view.version,
      strategy: key.strategy,
    };
    const call = cluster.history.begin(key.name, operation, this.name, cluster.world.now);
    const endMs = cluster.world.now + (random.next() < HASTY_SHARE ? HASTY_MS : GIVE_UP_MS);
    // A message that comes twice may be refused first and then carried out.
    this.#try(request, endMs, cluster.options.network.repeatShare > 0, (answer) => {
      cluster.world.tell(() => `${this.name} #${number} ${text(request)} = ${answerText(answer)}`);
      if (answer.kind === 'done') {
        call.result = answer.result;
        call.returnedMs = cluster.world.now;
        if (operation.kind !== 'get') cluster.acknowledgedWrites++;
      } else if (answer.kind === 'refused' || answer.kind === 'failed' || operation.kind === 'get') {
        cluster.history.withdraw(key.name, call);
      }
      this.#think();
    });
  }

  #key(): SimulatedKey {
    const { cluster, random } = this;
    const dice = random.next();
    if (cluster.crowdedKey !== undefined && dice < CROWD_SHARE) return cluster.crowdedKey;
    const again = dice < SAME_KEY_SHARE;
    if (!again || cluster.lastKey === undefined) {
      cluster.lastKey = pick(random, cluster.keys[random.integer(cluster.options.partitions)]!);
    }
    return cluster.lastKey;
  }

  /** `sent`: an earlier try may have been carried out. */
  #try(request: Request, endMs: number, sent: boolean, done: (answer: Answer) => void): void {
    const { world, network, nodes } = this.cluster;
    if (world.now >= endMs) {
      done({ kind: sent ? 'unknown' : 'refused', reason: 'too late' });
      return;
    }
    const to = this.#view.owners[request.partition] ?? pick(this.random, [...nodes.keys()]);
    let open = true;
    const once = (next: () => void): void => {
      if (!open) return;
      open = false;
      next();
    };
    const again = (mayBeDone: boolean, delayMs: number): void => {
      const retry = { ...request, retry: mayBeDone };
      world.after(delayMs, () => this.#try(retry, endMs, mayBeDone, done));
    };
    world.after(TRY_MS * (0.5 + this.random.next()), () =>
      once(() => {
        this.#forgetOwner(request.partition);
        again(true, 0);
      }),
    );
    network.send(this.name, to, () => {
      const node = nodes.get(to)!;
      node.execute(request, (answer) => {
        const view = node.member?.view === undefined ? undefined : knownView(node.member.view);
        network.send(to, this.name, () => {
          if (view !== undefined && view.version > this.#view.version) this.#view = view;
          once(() => {
            if (answer.kind === 'refused') again(sent, 5 + this.random.next() * 40);
            else done(answer);
          });
        });
      });
    });
  }

  /** The owner does not answer: anybody may know better. */
  #forgetOwner(partition: number): void {
    const owners = this.#view.owners.slice();
    owners[partition] = undefined;
    this.#view = { ...this.#view, owners };
  }

  #operation(key: SimulatedKey): Operation {
    const { random } = this;
    const dice = random.next();
    if (dice < 0.35) return { kind: 'get' };
    if (key.counter) return dice < 0.9 ? { kind: 'increment' } : { kind: 'delete' };
    const value = `${this.name}.${++this.#values}`;
    if (dice < 0.65) {
      const mortal = random.next() < this.cluster.options.ttlShare;
      return { kind: 'set', value, ttlMs: mortal ? 200 + random.integer(3_000) : 0 };
    }
    if (dice < 0.75) return { kind: 'delete' };
    if (dice < 0.87) return { kind: 'get-or-set', value };
    if (dice < 0.95) return { kind: 'compare-and-set', expected: this.#guess(key), value };
    return { kind: 'expire', ttlMs: 300 + random.integer(3_000) };
  }

  /** What the origin can do as well. */
  #rowOperation(): Operation {
    const dice = this.random.next();
    if (dice < 0.5) return { kind: 'get' };
    if (dice < 0.6) return { kind: 'delete' };
    const mortal = this.random.next() < this.cluster.options.ttlShare;
    return {
      kind: 'set',
      value: `${this.name}.${++this.#values}`,
      ttlMs: mortal ? 200 + this.random.integer(3_000) : 0,
    };
  }

  /** What the key may hold. */
  #guess({ name }: SimulatedKey): string | undefined {
    return this.random.next() < 0.3 ? undefined : this.cluster.lastValues.get(name);
  }
}

export interface KnownView {
  readonly version: number;
  readonly owners: readonly (string | undefined)[];
  readonly lost: readonly number[];
}

const knownViews = new WeakMap<object, KnownView>();

function knownView(view: { version: number; partitions: readonly { owner: string; lost: number }[] }): KnownView {
  let known = knownViews.get(view);
  if (known === undefined) {
    const owners = view.partitions.map(({ owner }) => owner);
    known = { version: view.version, owners, lost: view.partitions.map(({ lost }) => lost) };
    knownViews.set(view, known);
  }
  return known;
}

function text({ key, operation }: Request): string {
  return `${key} ${JSON.stringify(operation)}`;
}

function answerText(answer: Answer): string {
  return answer.kind === 'done' ? JSON.stringify(answer.result ?? null) : answer.kind;
}

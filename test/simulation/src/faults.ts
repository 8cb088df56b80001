import type { Cluster } from './cluster.js';
import { type FaultKind, pick } from './options.js';
import type { SimulatedNode } from './simulated-node.js';

/** Does harm at random times for as long as the safety phase lasts, and can make all of it good again. */
export class Faults {
  #ended = false;
  /** What must be undone when the harm ends. */
  readonly #undo = new Set<() => void>();
  #wiped = 0;
  /** When a node's wall clock was set back. */
  readonly #setBackMs = new Map<string, number>();

  constructor(readonly cluster: Cluster) {
    this.#scheduleNext();
  }

  /** Heals everything that can be healed. */
  end(): void {
    this.#ended = true;
    for (const undo of this.#undo) undo();
    this.#undo.clear();
    const { cluster } = this;
    cluster.network.options = { ...cluster.network.options, lossShare: 0, repeatShare: 0, slowShare: 0 };
    if (cluster.store !== undefined) {
      cluster.store.lossShare = 0;
      cluster.store.lateShare = 0;
    }
    for (const voter of cluster.voters?.voters ?? []) if (voter.acceptor === undefined) voter.start();
    for (const node of cluster.nodes.values()) if (node.member === undefined && !node.gone) node.start();
  }

  #scheduleNext(): void {
    const { world, random, options } = this.cluster;
    world.after(-Math.log(1 - random.next()) * options.faultEveryMs, () => {
      if (this.#ended) return;
      this.#harm(pick(random, options.faults));
      this.#scheduleNext();
    });
  }

  /** Undoes something after a while, or when the harm ends. */
  #until(delayMs: number, undo: () => void): void {
    const once = (): void => {
      if (this.#undo.delete(once)) undo();
    };
    this.#undo.add(once);
    this.cluster.world.after(delayMs, once);
  }

  #harm(kind: FaultKind): void {
    const { random, network } = this.cluster;
    const node = pick(random, [...this.cluster.nodes.values()]);
    const longMs = 200 + random.next() ** 2 * 5_000;
    switch (kind) {
      case 'kill':
        this.#kill(kind, node, longMs);
        break;
      case 'kill-fast':
        this.#kill(kind, node, random.next() * 50);
        break;
      case 'kill-two':
        this.#kill(kind, node, longMs);
        this.#kill(kind, this.#other(node), random.next() * 4_000);
        break;
      case 'strand':
        this.#strand(kind, node, longMs);
        break;
      case 'pause':
        this.#pause(kind, node, random.next() * 600, false);
        break;
      case 'pause-long':
        this.#pause(kind, node, longMs, false);
        break;
      case 'suspend':
        this.#pause(kind, node, longMs, true);
        break;
      case 'clock-jump':
        this.#jump(kind, node);
        break;
      case 'cut-one-way':
        this.#cut(kind, [[node.name, this.#other(node).name]], longMs);
        break;
      case 'cut-pair': {
        const other = this.#other(node).name;
        this.#cut(
          kind,
          [
            [node.name, other],
            [other, node.name],
          ],
          longMs,
        );
        break;
      }
      case 'isolate':
        this.#isolate(kind, node, longMs);
        break;
      case 'stream-break':
        this.#count(kind, node.name);
        network.breakStream(node.name, this.#other(node).name);
        break;
      case 'drain':
        this.#drain(kind, node, longMs);
        break;
      case 'join':
        this.#join(kind);
        break;
      case 'slow-network':
        if (network.slowness > 1) break;
        this.#count(kind, '');
        network.slowness = 8;
        this.#until(longMs / 2, () => {
          network.slowness = 1;
        });
        break;
      default:
        this.#harmStore(kind, node, longMs);
    }
  }

  #harmStore(kind: FaultKind, node: SimulatedNode, longMs: number): void {
    const { store, random } = this.cluster;
    if (kind === 'voter-kill' || kind === 'voter-wipe') {
      this.#harmVoter(kind, longMs);
      return;
    }
    if (store === undefined) {
      if (kind === 'store-cut') this.#cutVoters(kind, node, longMs);
      return;
    }
    this.#count(kind, node.name);
    if (kind === 'store-down') {
      store.down = true;
      this.#until(random.next() < 0.1 ? longMs * 3 : longMs / 2, () => {
        store.down = false;
      });
    } else if (kind === 'store-slow') {
      store.slowness *= 20;
      this.#until(longMs, () => {
        store.slowness /= 20;
      });
    } else {
      store.unreachableFrom.add(node.name);
      this.#until(longMs, () => store.unreachableFrom.delete(node.name));
    }
  }

  #cutVoters(kind: FaultKind, node: SimulatedNode, longMs: number): void {
    const pairs = this.cluster.voters!.voters.flatMap(({ name }): [string, string][] =>
      this.cluster.random.next() < 0.7 ? [[name, node.name]] : [],
    );
    this.#cut(kind, pairs, longMs);
  }

  #harmVoter(kind: FaultKind, longMs: number): void {
    const { voters, random } = this.cluster;
    const voter = pick(random, voters!.voters);
    if (voter.acceptor === undefined) return;
    if (kind === 'voter-wipe') {
      if (this.#wiped + 1 > (voters!.count - 1) / 2) return;
      this.#wiped++;
      this.#count(kind, voter.name);
      voter.wipe();
      return;
    }
    this.#count(kind, voter.name);
    voter.kill();
    this.#until(random.next() < 0.5 ? 20 : longMs, () => {
      if (voter.acceptor === undefined) voter.start();
    });
  }

  #kill(kind: FaultKind, node: SimulatedNode, restartMs: number): void {
    if (node.member === undefined) return;
    this.#count(kind, node.name);
    node.kill();
    this.#until(restartMs, () => node.start());
  }

  /** Clients still reach it, its successor does not: it dies with all that it could not pass on. */
  #strand(kind: FaultKind, node: SimulatedNode, restartMs: number): void {
    const { world, random, keys } = this.cluster;
    const { member } = node;
    if (member === undefined) return;
    const owned = keys.filter((_, partition) => member.serves(partition));
    if (owned.length === 0) return;
    const forMs = 30 + random.next() * 600;
    this.#isolate(kind, node, forMs);
    this.cluster.crowdedKey = pick(random, pick(random, owned));
    this.#until(forMs + CROWD_MS, () => {
      this.cluster.crowdedKey = undefined;
    });
    world.after(forMs, () => {
      if (node.member !== member || this.#ended) return;
      node.kill();
      this.#until(restartMs, () => node.start());
    });
  }

  #pause(kind: FaultKind, node: SimulatedNode, forMs: number, suspended: boolean): void {
    if (!node.running) return;
    // What no clock can show: set back, and suspended before anybody has looked at it.
    const setBackMs = this.#setBackMs.get(node.name) ?? Number.NEGATIVE_INFINITY;
    if (suspended && this.cluster.world.now - setBackMs < UNSEEN_MS) return;
    this.#count(kind, `${node.name} for ${forMs.toFixed(0)} ms`);
    const { process } = node;
    if (suspended) process.suspend();
    else process.pause();
    this.#until(forMs, () => process.resume());
  }

  #jump(kind: FaultKind, node: SimulatedNode): void {
    if (!node.running) return;
    const byMs = (this.cluster.random.next() - 0.5) * 20_000;
    if (byMs < 0) this.#setBackMs.set(node.name, this.cluster.world.now);
    this.#count(kind, `${node.name} by ${byMs.toFixed(0)} ms`);
    node.process.jumpWall(byMs);
  }

  #isolate(kind: FaultKind, node: SimulatedNode, forMs: number): void {
    const pairs = [...this.cluster.nodes.keys()]
      .filter((other) => other !== node.name)
      .flatMap((other): [string, string][] => [
        [node.name, other],
        [other, node.name],
      ]);
    this.#cut(kind, pairs, forMs);
  }

  #cut(kind: FaultKind, pairs: readonly (readonly [string, string])[], forMs: number): void {
    if (pairs.length === 0) return;
    const { network } = this.cluster;
    this.#count(kind, pairs.map((pair) => pair.join('>')).join(' '));
    for (const [from, to] of pairs) network.cut(from, to);
    this.#until(forMs, () => {
      this.cluster.world.tell(() => `healed: ${pairs.map((pair) => pair.join('>')).join(' ')}`);
      for (const [from, to] of pairs) network.heal(from, to);
    });
  }

  #drain(kind: FaultKind, node: SimulatedNode, returnMs: number): void {
    if (node.member?.listed !== true || !node.running) return;
    this.#count(kind, node.name);
    node.gone = true;
    const { member } = node;
    member.drain();
    this.#until(8_000 + returnMs, () => {
      // At its deadline it ends, whatever it still has; then it is started again, as in a rolling restart.
      if (node.member === member) node.kill();
      node.start();
    });
  }

  #join(kind: FaultKind): void {
    if (this.cluster.nodes.size >= NODES_MAX) return;
    const node = this.cluster.addNode();
    this.#count(kind, node.name);
    node.start();
  }

  #other(node: SimulatedNode): SimulatedNode {
    const others = [...this.cluster.nodes.values()].filter((other) => other !== node);
    return pick(this.cluster.random, others);
  }

  #count(kind: FaultKind, what: string): void {
    this.cluster.world.fault(kind, () => what);
  }
}

const NODES_MAX = 6;
/** Until its partitions are served again, and some. */
const CROWD_MS = 2_000;
/** Two ticks of a member. */
const UNSEEN_MS = 100;

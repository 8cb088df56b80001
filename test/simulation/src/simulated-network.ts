import type { Random } from '@larder/base';
import type { NetworkOptions } from './options.js';
import type { World } from './world.js';

/**
 * Ordered streams between places, one in each direction. A stream may break: then what is under way is gone and, a
 * while later, both ends learn that there is a new one. A direction may be cut: then it swallows everything and nobody
 * is told (a half-open connection); when the cut heals, the stream is opened anew. Beyond what TCP does, seeds may lose
 * and repeat single messages.
 */
export interface Place {
  readonly name: string;
  /** Runs it in the process that lives there, if one does. */
  deliver(run: () => void): void;
  linkOpened(other: string): void;
}

interface Link {
  /** What was sent under an older generation never arrives. */
  generation: number;
  lastArrivalMs: number;
  cuts: number;
  openAtMs: number;
}

export class SimulatedNetwork {
  readonly #places = new Map<string, Place>();
  readonly #links = new Map<string, Link>();
  /** Multiplies delays. */
  slowness = 1;

  constructor(
    readonly world: World,
    readonly random: Random,
    public options: NetworkOptions,
  ) {}

  add(place: Place): void {
    this.#places.set(place.name, place);
  }

  /** `receive` is run at `to`, if the message gets there. */
  send(from: string, to: string, receive: () => void): void {
    const link = this.#link(from, to);
    if (link.cuts > 0 || this.world.now < link.openAtMs) return;
    if (this.options.lossShare > 0 && this.random.next() < this.options.lossShare) return;
    const arrivalMs = Math.max(link.lastArrivalMs, this.world.now + this.delayMs());
    link.lastArrivalMs = arrivalMs;
    this.#arrive(link, to, arrivalMs - this.world.now, receive);
    if (this.options.repeatShare > 0 && this.random.next() < this.options.repeatShare) {
      this.#arrive(link, to, arrivalMs - this.world.now + this.delayMs() * 20, receive);
    }
  }

  delayMs(): number {
    const { delayMsMin, delayMsMax, slowShare, slowMsMax } = this.options;
    const slow = slowShare > 0 && this.random.next() < slowShare ? this.random.next() * slowMsMax : 0;
    return (delayMsMin + this.random.next() ** 3 * (delayMsMax - delayMsMin)) * this.slowness + slow;
  }

  cut(from: string, to: string): void {
    this.#link(from, to).cuts++;
  }

  heal(from: string, to: string): void {
    this.#link(from, to).cuts--;
    this.breakStream(from, to);
  }

  breakStream(a: string, b: string): void {
    const openAtMs = this.world.now + 1 + this.random.next() * 150;
    for (const link of [this.#link(a, b), this.#link(b, a)]) {
      link.generation++;
      link.openAtMs = openAtMs;
    }
    this.world.after(openAtMs - this.world.now, () => {
      this.#places.get(a)?.linkOpened(b);
      this.#places.get(b)?.linkOpened(a);
    });
  }

  /** The process at a place has ended: its connections are gone. */
  breakAll(name: string): void {
    for (const other of this.#places.keys()) if (other !== name) this.breakStream(name, other);
  }

  #arrive(link: Link, to: string, delayMs: number, receive: () => void): void {
    const { generation } = link;
    this.world.after(delayMs, () => {
      if (link.generation === generation && link.cuts === 0) this.#places.get(to)?.deliver(receive);
    });
  }

  #link(from: string, to: string): Link {
    const name = `${from}>${to}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = { generation: 0, lastArrivalMs: 0, cuts: 0, openAtMs: 0 };
      this.#links.set(name, link);
    }
    return link;
  }
}

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

/** The state of one direction between two nodes. */
export interface Direction {
  isCut: boolean;
  delayMs: number;
}

type Item = { readonly dueMs: number } & ({ readonly chunk: Buffer } | { readonly end: 'finished' | 'broken' });

/** Held by one direction of one connection; beyond it the sender is not read, as with a full TCP window. */
const HELD_BYTES_MAX = 256 * 1024;

/**
 * Carries what comes out of one socket into another, in order: later if the direction is delayed, not at all while it is
 * cut. Also the news that a connection has ended has to travel.
 */
export class Pipe {
  readonly #items: Item[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly direction: Direction,
  ) {
    from.on('data', (chunk: Buffer) => this.#hold({ dueMs: this.#dueMs(), chunk }));
    from.on('end', () => this.#hold({ dueMs: this.#dueMs(), end: 'finished' }));
    from.on('close', () => this.#hold({ dueMs: this.#dueMs(), end: 'broken' }));
    from.on('error', () => {});
    to.on('drain', () => this.#readOn());
    to.on('close', () => clearTimeout(this.#timer));
  }

  /** To be called when the direction has changed. */
  move(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#items.length > 0 && !this.direction.isCut) {
      const item = this.#items[0] as Item;
      const waitMs = item.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.move(), waitMs);
        return;
      }
      this.#items.shift();
      this.#deliver(item);
    }
    this.#readOn();
  }

  #dueMs(): number {
    return performance.now() + this.direction.delayMs;
  }

  #hold(item: Item): void {
    this.#items.push(item);
    if ('chunk' in item) this.#heldBytes += item.chunk.length;
    if (this.#heldBytes > HELD_BYTES_MAX) this.from.pause();
    if (this.#timer === undefined) this.move();
  }

  #deliver(item: Item): void {
    if ('end' in item) {
      if (item.end === 'finished') this.to.end();
      else this.to.destroy();
      return;
    }
    this.#heldBytes -= item.chunk.length;
    if (!this.to.destroyed && !this.to.write(item.chunk)) this.from.pause();
  }

  #readOn(): void {
    if (this.#heldBytes <= HELD_BYTES_MAX && !this.to.writableNeedDrain && !this.direction.isCut) this.from.resume();
  }
}

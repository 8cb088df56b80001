import type { Clock, Timer } from '@larder/base';
import type { World } from './world.js';

/**
 * One start of a program: it has a clock of its own, may stand still (and then finds all its mail at once) and dies
 * without a word. Whatever wants to happen in it goes through `run`.
 */
export class SimulatedProcess implements Clock {
  alive = true;
  #paused = false;
  readonly #inbox: (() => void)[] = [];
  readonly #bornMs: number;
  #suspendedMs = 0;
  #suspendedAtMs: number | undefined;
  #wallOffsetMs: number;

  constructor(
    readonly world: World,
    /** Seconds of this machine per true second. */
    readonly rate: number,
    wallOffsetMs: number,
    /** After each turn. */
    readonly turnEnded: () => void,
  ) {
    this.#bornMs = world.now;
    this.#wallOffsetMs = wallOffsetMs;
  }

  get running(): boolean {
    return this.alive && !this.#paused;
  }

  run(turn: () => void): void {
    if (!this.alive) return;
    if (this.#paused) {
      this.#inbox.push(turn);
      return;
    }
    turn();
    if (this.alive) this.turnEnded();
  }

  monotonicMs(): number {
    const suspendedMs =
      this.#suspendedMs + (this.#suspendedAtMs === undefined ? 0 : this.world.now - this.#suspendedAtMs);
    return (this.world.now - this.#bornMs - suspendedMs) * this.rate;
  }

  wallMs(): number {
    return EPOCH_MS + this.#wallOffsetMs + this.world.now * this.rate;
  }

  after(delayMs: number, callback: () => void): Timer {
    const event = this.world.after(delayMs / this.rate, () => {
      this.run(() => {
        if (!cancelled) callback();
      });
    });
    let cancelled = false;
    const timer: Timer = {
      cancel: () => {
        cancelled = true;
        event.run = undefined;
      },
      hold: () => timer,
    };
    return timer;
  }

  every(periodMs: number, callback: () => void): Timer {
    let timer: Timer;
    const next = (): void => {
      timer = this.after(periodMs, next);
      callback();
    };
    timer = this.after(periodMs, next);
    const periodic: Timer = { cancel: () => timer.cancel(), hold: () => periodic };
    return periodic;
  }

  /** SIGSTOP, or a long garbage collection: both clocks go on. */
  pause(): void {
    this.#paused = true;
  }

  /** A suspended virtual machine: the monotonic clock stands still as well. */
  suspend(): void {
    this.#paused = true;
    this.#suspendedAtMs ??= this.world.now;
  }

  resume(): void {
    if (this.#suspendedAtMs !== undefined) this.#suspendedMs += this.world.now - this.#suspendedAtMs;
    this.#suspendedAtMs = undefined;
    this.#paused = false;
    const turns = this.#inbox.splice(0);
    for (const turn of turns) this.run(turn);
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  kill(): void {
    this.alive = false;
    this.#inbox.length = 0;
  }
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

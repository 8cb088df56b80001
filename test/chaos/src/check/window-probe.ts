/**
 * Measures for how long the keys of a node are away because of a fault: a few keys that it owns are written and read all
 * the time from before the fault until after it. A call begins every 50 ms, whether those before it were answered or not:
 * one that waits for a node that is gone must not hide those that are answered. The window of a key is the longest time
 * between two answers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Larder } from '@larder/client';
import { keySlice } from '@larder/proto';
import type { KeyLife } from '../load/key-lives.js';
import { monotonicMs } from '../load/monotonic.js';
import type { RecordedCaches } from '../load/recorded-caches.js';

const KEYS = 12;
const PERIOD_MS = 50;
/** Of so many calls one writes. */
const WRITE_EVERY = 3;
/** A key that is away for longer than this is not waited for: its window is this long. */
export const WINDOW_MS_MAX = 20_000;
const LIFE_MS = 90_000;
const NAMES_TRIED_MAX = 100_000;

interface ProbedKey {
  readonly life: KeyLife;
  answeredMs: number;
  windowMs: number;
  /** Answers since the probe began. */
  answers: number;
}

export class WindowProbe {
  #number = 0;

  constructor(
    private readonly larder: Larder,
    private readonly caches: RecordedCaches,
  ) {}

  /** Resolves when every key that is probed has answered once. A node that owns nothing has no keys. */
  async begin(node: string): Promise<Probing> {
    const probing = new Probing(this.caches, this.#keysOf(node));
    await probing.answeredSince(probing.beganMs);
    return probing;
  }

  #keysOf(node: string): KeyLife[] {
    const { nodes, owners } = this.larder.topology();
    const lives: KeyLife[] = [];
    const partitions = new Set<number>();
    const number = ++this.#number;
    for (let name = 0; lives.length < KEYS && name < NAMES_TRIED_MAX; name++) {
      const key = `probe${number}-${name}`;
      const { partition } = keySlice(Buffer.from(key));
      if (partitions.has(partition) || nodes[owners[partition] as number]?.id !== node) continue;
      partitions.add(partition);
      lives.push({ cache: 'memory', key, slot: -1, endMs: monotonicMs() + LIFE_MS });
    }
    return lives;
  }
}

export class Probing {
  readonly beganMs = monotonicMs();
  readonly #keys: ProbedKey[];
  readonly #loops: Promise<void>[];
  #isOver = false;

  constructor(
    private readonly caches: RecordedCaches,
    lives: readonly KeyLife[],
  ) {
    this.#keys = lives.map((life) => ({ life, answeredMs: this.beganMs, windowMs: 0, answers: 0 }));
    this.#loops = this.#keys.map((key) => this.#keepCalling(key));
  }

  /** Resolves when each key has answered a call after that time, or has been away for too long. */
  async answeredSince(timeMs: number): Promise<void> {
    const untilMs = monotonicMs() + WINDOW_MS_MAX;
    while (this.#keys.some(({ answeredMs }) => answeredMs <= timeMs) && monotonicMs() < untilMs)
      await sleep(PERIOD_MS / 5);
  }

  /** Ends the calls. The window of each key. */
  async end(): Promise<number[]> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    return this.#keys.map(({ windowMs, answeredMs }) =>
      Math.max(windowMs, Math.min(WINDOW_MS_MAX, monotonicMs() - answeredMs)),
    );
  }

  async #keepCalling(key: ProbedKey): Promise<void> {
    const calls = new Set<Promise<void>>();
    for (let count = 0; !this.#isOver; count++) {
      const call = this.#call(key, count % WRITE_EVERY === 0).finally(() => calls.delete(call));
      calls.add(call);
      await sleep(PERIOD_MS);
    }
    await Promise.all(calls);
  }

  async #call(key: ProbedKey, isWrite: boolean): Promise<void> {
    const isAnswered = await (isWrite ? this.caches.set(key.life) : this.caches.get(key.life));
    if (!isAnswered) return;
    const nowMs = monotonicMs();
    if (key.answers++ > 0) key.windowMs = Math.max(key.windowMs, nowMs - key.answeredMs);
    key.answeredMs = nowMs;
  }
}

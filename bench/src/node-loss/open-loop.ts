import { LarderError } from '@larder/client';

/**
 * Calls at a fixed rate, whatever becomes of them, as a crowd of users makes them: a closed loop would call less while
 * the cluster answers less. A call's time counts from when it was due.
 */
export interface CallTimes {
  /** When each call was due, in Unix ms, in that order; how long it took; and with which code it failed; '' if it did not. */
  readonly dueMs: number[];
  readonly tookMs: number[];
  readonly codes: string[];
  /** Calls that were not made because too many were under way. They count as failed ones of no duration. */
  readonly dropped: number;
}

const TICK_MS = 5;
/** As many as a client that is told to wait for nothing would have under way after ten seconds without an answer. */
const UNDER_WAY_MAX = 50_000;

export class OpenLoop {
  readonly #times = { dueMs: [] as number[], tookMs: [] as number[], codes: [] as string[] };
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = nowMs();
  #made = 0;
  #dropped = 0;
  readonly #underWay = new Set<Promise<void>>();

  constructor(
    readonly perSecond: number,
    readonly call: () => Promise<unknown>,
  ) {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Makes no more calls. Resolves when those under way have ended. */
  async stop(): Promise<CallTimes> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    return { ...this.#times, dropped: this.#dropped };
  }

  #tick(): void {
    const due = Math.floor(((nowMs() - this.#startedMs) * this.perSecond) / 1000);
    for (; this.#made < due; this.#made++) {
      if (this.#underWay.size >= UNDER_WAY_MAX) this.#dropped++;
      else this.#make(this.#startedMs + (this.#made * 1000) / this.perSecond);
    }
  }

  #make(dueMs: number): void {
    const index = this.#times.dueMs.push(dueMs) - 1;
    const ended = (code: string): void => {
      this.#times.tookMs[index] = nowMs() - dueMs;
      this.#times.codes[index] = code;
      this.#underWay.delete(call);
    };
    const call = this.call().then(
      () => ended(''),
      (error: unknown) => ended(error instanceof LarderError ? error.code : String(error)),
    );
    this.#underWay.add(call);
  }
}

/** Unix ms with fractions: comparable between processes of one machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * When the origin was last asked for a key, and how that ended: the latest calls, in a table of fixed size that later ones
 * write over. A key has one place, by a hash of its text, and one in 2^32 / places strangers is taken for it. 16 bytes a
 * place, from the first call on; `bytesMax` bounds them.
 */
export class CallLog {
  #keys: Uint32Array | undefined;
  readonly #places: number;
  #endedMs!: Float64Array;
  /** The time it took, in ms, and the outcome in the lowest bits. */
  #results!: Uint32Array;

  constructor(bytesMax: number) {
    const wanted = Math.min(PLACES_MAX, Math.max(PLACES_MIN, bytesMax / BYTES_PER_PLACE));
    this.#places = 2 ** Math.floor(Math.log2(wanted));
  }

  note(text: string, endedMs: number, tookMs: number, outcome: CallOutcome): void {
    this.#keys ??= this.#open();
    const hash = hashOf(text);
    const place = hash & (this.#places - 1);
    this.#keys[place] = hash;
    this.#endedMs[place] = endedMs;
    this.#results[place] = (Math.min(TOOK_MS_MAX, Math.round(tookMs)) << OUTCOME_BITS) | outcome;
  }

  find(text: string, nowMs: number): LoggedCall | undefined {
    const hash = hashOf(text);
    const place = hash & (this.#places - 1);
    const result = this.#results?.[place] ?? 0;
    if (result === 0 || this.#keys?.[place] !== hash) return undefined;
    const outcome = NAMES[(result & OUTCOME_MASK) - 1]!;
    return { agoMs: nowMs - this.#endedMs[place]!, tookMs: result >>> OUTCOME_BITS, outcome };
  }

  #open(): Uint32Array {
    this.#endedMs = new Float64Array(this.#places);
    this.#results = new Uint32Array(this.#places);
    return new Uint32Array(this.#places);
  }
}

/** The last call for a key. */
export interface LoggedCall {
  /** Since it ended. */
  readonly agoMs: number;
  readonly tookMs: number;
  readonly outcome: keyof typeof CallOutcome;
}

export const CallOutcome = { found: 1, missing: 2, written: 3, deleted: 4, failed: 5 } as const;
export type CallOutcome = (typeof CallOutcome)[keyof typeof CallOutcome];

const NAMES = Object.keys(CallOutcome) as readonly (keyof typeof CallOutcome)[];
const PLACES_MIN = 64;
const PLACES_MAX = 64 * 1024;
const BYTES_PER_PLACE = 16;
const OUTCOME_BITS = 3;
const OUTCOME_MASK = (1 << OUTCOME_BITS) - 1;
const TOOK_MS_MAX = 2 ** 28;

/** FNV-1a over UTF-16 units, with a last step that lets all bits reach the lowest. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

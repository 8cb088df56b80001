/**
 * Which mode shall rule, by the hits of one simulation for each.
 *
 * A mode takes over when it is ahead of the ruling one by more than chance and the cost of switching explain:
 *
 *   need = 0.0005 R + 0.5 sqrt(D) + 1 + brake x entries          (back to LRU: 0.2 sqrt(D) + 1)
 *
 * with R requests, and D requests in which the two differed, both fading with a half-life of 50 turnovers. The brake grows
 * sixteenfold with each return to LRU and fades over 1,600 turnovers, so that two modes that are good by turns do not take
 * turns for nothing. The numbers are from the study of 87 trace and size pairs that the hit-ratio benchmark repeats.
 */
const DECIDE_EVERY = 8;
const HALF_LIFE_TURNOVERS = 50;
const BRAKE_LEAST = 0.01;
const BRAKE_MOST = 0.5;
const BRAKE_GROWTH = 16;
const BRAKE_HALF_LIFE_TURNOVERS = 1600;

/** The mode that a cache starts in: any other loses up to a cache full of hits before there is evidence. */
export const FIRST_MODE = 0;

export class ModeChoice {
  readonly #hits: Float64Array;
  readonly #differences: Float64Array;
  readonly #entries: number;
  readonly #fade: number;
  readonly #brakeFade: number;
  #requests = 0;
  #sinceDecision = 0;
  #brake = BRAKE_LEAST;
  current: number;

  /** `entries`: how many fill a simulation. */
  constructor(modeCount: number, entries: number, current: number) {
    this.#hits = new Float64Array(modeCount);
    this.#differences = new Float64Array(modeCount);
    this.#entries = entries;
    this.#fade = 0.5 ** (DECIDE_EVERY / Math.max(50, HALF_LIFE_TURNOVERS * entries));
    this.#brakeFade = 0.5 ** (DECIDE_EVERY / (BRAKE_HALF_LIFE_TURNOVERS * entries));
    this.current = current;
  }

  /** Takes the outcome of one request, a bit for each mode that hit. Returns whether `current` has changed. */
  observe(hitBits: number): boolean {
    const hits = this.#hits;
    const ruling = (hitBits >>> this.current) & 1;
    for (let mode = 0; mode < hits.length; mode++) {
      const hit = (hitBits >>> mode) & 1;
      hits[mode]! += hit;
      if (hit !== ruling) this.#differences[mode]!++;
    }
    this.#requests++;
    if (++this.#sinceDecision < DECIDE_EVERY) return false;
    this.#sinceDecision = 0;
    const changed = this.#decide();
    this.#fadeAll();
    return changed;
  }

  #decide(): boolean {
    const hits = this.#hits;
    let best = this.current;
    let bestLead = 0;
    for (let mode = 0; mode < hits.length; mode++) {
      if (mode === this.current) continue;
      const lead = hits[mode]! - hits[this.current]! - this.#need(mode);
      if (lead > bestLead) {
        bestLead = lead;
        best = mode;
      }
    }
    if (best === this.current) return false;
    if (best === FIRST_MODE) this.#brake = Math.min(BRAKE_MOST, this.#brake * BRAKE_GROWTH);
    this.current = best;
    for (let mode = 0; mode < hits.length; mode++) this.#differences[mode] = Math.abs(hits[mode]! - hits[best]!);
    return true;
  }

  #need(mode: number): number {
    const chance = Math.sqrt(this.#differences[mode]!);
    if (mode === FIRST_MODE) return 0.2 * chance + 1;
    return 0.0005 * this.#requests + 0.5 * chance + 1 + this.#brake * this.#entries;
  }

  #fadeAll(): void {
    for (let mode = 0; mode < this.#hits.length; mode++) {
      this.#hits[mode]! *= this.#fade;
      this.#differences[mode]! *= this.#fade;
    }
    this.#requests *= this.#fade;
    this.#brake = Math.max(BRAKE_LEAST, this.#brake * this.#brakeFade);
  }
}

import { PAGE_WORDS, type PolicyPages } from '../../policy-pages.js';
import { EVICTION_STATE } from '../../record.js';
import { EvictionPolicy, type PolicyContext } from '../eviction-policy.js';
import { MiniCache, miniCacheBytesPerEntry } from './mini-cache.js';
import { MODAL_WORDS, ModalLists } from './modal-lists.js';
import { FIRST_MODE, ModeChoice } from './mode-choice.js';
import { MODES } from './modes.js';
import { PagedGhosts } from './paged-ghosts.js';
import { SmallGhosts } from './small-ghosts.js';

/** Evicted keys that are remembered for each entry. Three would gain one point of the way from LRU to the optimum. */
const GHOSTS_PER_ENTRY = 2;
/** From here on ghosts lie in pages of the arena. */
const SMALL_PLACES_MAX = 2 * PAGE_WORDS;
/** After a page could not be had, so many puts go by before the next attempt. */
const PUTS_BETWEEN_ATTEMPTS = 4096;
/** How many entries a simulation has at most; a sample of 512 already misses the edge of a loop. */
const SIMULATED_ENTRIES = 1280;
/** Where entries are of different sizes, room for more of those that are smaller than the mean. */
const SIMULATED_SLACK = 1.6;
/** Sizes count as different if the largest is this many times the mean. */
const UNIFORM_RATIO = 1.25;
/** The simulations take at most this share of the cache's bound; a small cache is simulated by a smaller sample. */
const SIMULATION_SHARE = 1 / 16;
/** With less than that nothing can be learned; the cache then stays with LRU. */
const SIMULATED_ENTRIES_MIN = 8;
/** A mean size that has changed by this factor since the simulations were set up makes them anew. */
const DRIFT_MAX = 1.5;
/** The mean size follows that of the entries by an eighth of the difference, eight times a turnover. */
const CALIBRATIONS_PER_TURNOVER = 8;
const SMOOTHING = 1 / 8;

/**
 * The default: rules the cache in one of six modes (modes.ts), whichever does best. Six small simulations of the cache,
 * one in each mode, are fed with a sample of the keys (mini-cache.ts); when one is clearly ahead, its mode takes over
 * (mode-choice.ts), and the lists are brought into its shape a few steps a request (modal-lists.ts).
 *
 * Choose it unless you know better: on a workload for which LRU is best it is LRU, within a point; on loops, scans and
 * skewed popularity it gets most of what is possible. It needs 20 bytes an entry, and 270 KiB for the simulations or a
 * sixteenth of the cache's bound, whichever is less.
 *
 * Sizes: all lists are bounded in bytes, so the window is a share of the memory, not of the number of entries. Which entry
 * goes does not depend on its size, because every miss costs a query whatever it returns. Lengths of time (turnovers) and
 * the sample are set from the mean size of the entries, and again when that has changed by half.
 */
export class Adaptive extends EvictionPolicy {
  readonly recordWords = MODAL_WORDS;
  override readonly entryBytes = GHOSTS_PER_ENTRY * 4;
  readonly #chargeOf: (ref: number) => number;
  readonly #lists: ModalLists;
  readonly #pages: PolicyPages;
  readonly #capacityMax: number;
  readonly #simulatedEntriesMax: number;
  readonly #simulationBytes: number;

  #minis: MiniCache[] = [];
  #choice = new ModeChoice(MODES.length, 1, FIRST_MODE);
  /** Keys whose hash is below are simulated. */
  #sampledBelow = 0;

  #entries = 0;
  #capacity: number;
  #turnover = 0;
  #simulatedTurnover = 0;
  #insertsToCalibration = 1;
  #meanCharge = 0;
  #chargeMax = 0;
  #hasEvicted = false;

  #smallGhosts: SmallGhosts | undefined;
  #pagedGhosts: PagedGhosts | undefined;
  #putsToAttempt = 0;

  constructor({ words, pages, memoryBytesMax, chargeOf }: PolicyContext) {
    super();
    this.#pages = pages;
    this.#chargeOf = (ref) => chargeOf(ref) + this.entryBytes;
    this.#lists = new ModalLists(words, EVICTION_STATE, this.#chargeOf);
    const bytesPerEntry = MODES.length * miniCacheBytesPerEntry(GHOSTS_PER_ENTRY);
    const affordable = Math.floor((memoryBytesMax * SIMULATION_SHARE) / bytesPerEntry);
    const entriesMax = Math.min(SIMULATED_ENTRIES, affordable);
    this.#simulatedEntriesMax = entriesMax < SIMULATED_ENTRIES_MIN ? 0 : entriesMax;
    this.#simulationBytes = this.#simulatedEntriesMax * bytesPerEntry;
    this.#capacityMax = memoryBytesMax - this.#simulationBytes;
    this.#capacity = this.#capacityMax;
  }

  override stateBytes(entries: number): number {
    const ghostBytes = this.pageBytes + (this.#smallGhosts?.places ?? 0) * 4;
    return this.#simulationBytes + Math.max(0, ghostBytes - entries * this.entryBytes);
  }

  override get pageBytes(): number {
    if (this.#pagedGhosts === undefined) return 0;
    return (this.#pagedGhosts.places / PAGE_WORDS) * this.#pages.blockWords * 4;
  }

  /** Large ghost tables follow the number of entries by a page a put. */
  override settle(): void {
    const wanted = this.#entries * GHOSTS_PER_ENTRY;
    if (!this.#hasEvicted || wanted < SMALL_PLACES_MAX || --this.#putsToAttempt > 0) return;
    if (this.#pagedGhosts === undefined) {
      this.#pagedGhosts = new PagedGhosts(this.#pages);
      this.#smallGhosts = undefined;
      this.#lists.ghosts = this.#pagedGhosts;
    }
    const fits = this.#pagedGhosts.places + PAGE_WORDS > wanted || this.#pagedGhosts.grow();
    this.#putsToAttempt = fits ? 0 : PUTS_BETWEEN_ATTEMPTS;
  }

  /** For tests and for the curious: the number of the ruling mode in MODES. */
  get mode(): number {
    return this.#choice.current;
  }

  override arrive(hash: number): void {
    this.#lists.arrive(hash);
  }

  insert(ref: number, hash: number): void {
    this.#entries++;
    const charge = this.#chargeOf(ref);
    if (charge > this.#chargeMax) this.#chargeMax = charge;
    if (--this.#insertsToCalibration <= 0) this.#calibrate((this.#lists.weight + charge) / this.#entries);
    this.#lists.insert(ref);
    if (hash < this.#sampledBelow) this.#simulate(ref, hash);
  }

  override readmit(ref: number): void {
    this.#entries++;
    this.#lists.reinsert(ref);
  }

  use(ref: number, hash: number): void {
    this.#lists.hit(ref);
    if (hash < this.#sampledBelow) this.#simulate(ref, hash);
  }

  remove(ref: number, hash: number): void {
    this.#entries--;
    this.#lists.remove(ref);
    if (hash < this.#sampledBelow) for (const mini of this.#minis) mini.remove(mixed(hash));
    this.#giveBackPages();
  }

  victim(): number {
    this.#hasEvicted = true;
    this.#followPressure();
    this.#fitSmallGhosts();
    return this.#lists.victim();
  }

  override evict(ref: number, hash: number): void {
    this.#entries--;
    this.#lists.evict(ref, hash);
    this.#giveBackPages();
  }

  moved(_from: number, to: number): void {
    this.#lists.moved(to);
  }

  override resized(ref: number, difference: number): void {
    this.#lists.reweighed(ref, difference);
  }

  #simulate(ref: number, hash: number): void {
    const key = mixed(hash);
    const weight = this.#chargeOf(ref);
    const minis = this.#minis;
    let hitBits = 0;
    for (let mode = 0; mode < minis.length; mode++) if (minis[mode]!.request(key, weight)) hitBits |= 1 << mode;
    if (this.#choice.observe(hitBits)) this.#lists.setMode(MODES[this.#choice.current]!);
  }

  /** Sets the length of a turnover from the mean size of entries, and the simulations if that has changed much. */
  #calibrate(meanCharge: number): void {
    if (this.#hasEvicted) this.#meanCharge += SMOOTHING * (meanCharge - this.#meanCharge);
    else this.#meanCharge = meanCharge;
    const turnover = Math.max(1, Math.floor(this.#capacity / this.#meanCharge));
    this.#insertsToCalibration = this.#hasEvicted
      ? Math.max(16, Math.floor(turnover / CALIBRATIONS_PER_TURNOVER))
      : this.#entries;
    if (turnover === this.#turnover) return;
    this.#turnover = turnover;
    this.#lists.setCapacity(this.#capacity, turnover);
    const drift = turnover / this.#simulatedTurnover;
    if (drift > DRIFT_MAX || drift < 1 / DRIFT_MAX) this.#startSimulations();
  }

  #startSimulations(): void {
    this.#simulatedTurnover = this.#turnover;
    if (this.#simulatedEntriesMax === 0) return;
    const isUniform = this.#chargeMax < UNIFORM_RATIO * this.#meanCharge;
    const most = isUniform ? this.#simulatedEntriesMax : Math.floor(this.#simulatedEntriesMax / SIMULATED_SLACK);
    const sampled = Math.min(this.#turnover, most);
    const share = sampled / this.#turnover;
    this.#sampledBelow = share * 2 ** 32;
    this.#minis = MODES.map(
      (mode) => new MiniCache(mode, this.#simulatedEntriesMax, this.#capacity * share, sampled, GHOSTS_PER_ENTRY),
    );
    this.#choice = new ModeChoice(MODES.length, sampled, this.#choice.current);
  }

  /**
   * The node may be full before the cache is, and pinned entries take their part: what the cache has when it must give
   * something is then its capacity, until it has more.
   */
  #followPressure(): void {
    const { weight } = this.#lists;
    if (weight >= 0.9 * this.#capacity && weight <= this.#capacity) return;
    this.#capacity = Math.min(this.#capacityMax, weight);
    this.#lists.setCapacity(this.#capacity, this.#turnover);
    this.#insertsToCalibration = Math.min(this.#insertsToCalibration, 16);
  }

  /** There are no ghosts before the first eviction; then as many as have been paid for. */
  #fitSmallGhosts(): void {
    if (this.#pagedGhosts !== undefined) return;
    const wanted = Math.min(SMALL_PLACES_MAX, this.#entries * GHOSTS_PER_ENTRY);
    const places = this.#smallGhosts?.places ?? 0;
    if (wanted < places * DRIFT_MAX && wanted * DRIFT_MAX > places) return;
    this.#smallGhosts = new SmallGhosts(wanted);
    this.#lists.ghosts = this.#smallGhosts;
  }

  #giveBackPages(): void {
    const ghosts = this.#pagedGhosts;
    if (ghosts === undefined) return;
    const kept = this.#entries === 0 ? 0 : this.#entries * GHOSTS_PER_ENTRY + 2 * PAGE_WORDS;
    while (ghosts.places > kept) ghosts.shrink();
  }
}

/** The upper bits of hashes in a sample are alike; these are not. The last steps of murmur3. */
function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

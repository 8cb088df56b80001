/**
 * What each node has of something, and the bounds that its share puts on that. Within the bounds nothing moves for the
 * sake of balance: 8 % on both sides, or what rounding needs, are far from the 15 % above the mean that are promised,
 * and save the moves that an exact balance would cost each time a node comes or goes.
 */
const SLACK = 0.08;

export class Load {
  readonly #counts: Int32Array;
  readonly #least: Int32Array;
  readonly #most: Int32Array;
  /** Sum of what is above and below the bounds. */
  #off = 0;

  constructor(readonly shares: readonly number[]) {
    this.#counts = new Int32Array(shares.length);
    this.#most = Int32Array.from(shares, (share) => Math.max(Math.ceil(share), Math.floor(share * (1 + SLACK))));
    this.#least = Int32Array.from(shares, (share) => Math.min(Math.floor(share), Math.ceil(share * (1 - SLACK))));
    for (let node = 0; node < shares.length; node++) this.#off += this.#offOf(node);
  }

  get isOff(): boolean {
    return this.#off > 0;
  }

  add(node: number, count: number): void {
    this.#off -= this.#offOf(node);
    this.#counts[node]! += count;
    this.#off += this.#offOf(node);
  }

  /** Relative to its share. */
  fullness(node: number): number {
    return this.#counts[node]! / Math.max(1e-9, this.shares[node]!);
  }

  /** All nodes, the emptiest first. */
  byFullness(): number[] {
    const nodes = Array.from(this.#counts, (_, node) => node);
    return nodes.sort((a, b) => this.fullness(a) - this.fullness(b) || a - b);
  }

  /** Whether one less there and one more here brings a bound nearer and breaks none. */
  mayPass(from: number, to: number): boolean {
    const tooFull = this.#counts[from]! > this.#most[from]!;
    const tooEmpty = this.#counts[to]! < this.#least[to]!;
    if (!tooFull && !tooEmpty) return false;
    return (tooFull || this.#counts[from]! > this.#least[from]!) && (tooEmpty || this.#counts[to]! < this.#most[to]!);
  }

  /**
   * How much better the balance is with one less there and one more here, as the fall of the sum of squares by share;
   * 0 if neither is out of its bounds. As that sum falls with each step that is taken, steps come to an end.
   */
  gain(from: number, to: number): number {
    const tooFull = this.#counts[from]! > this.#most[from]!;
    const tooEmpty = this.#counts[to]! < this.#least[to]!;
    if (!tooFull && !tooEmpty) return 0;
    const fall = (2 * this.#counts[from]! - 1) / Math.max(1e-9, this.shares[from]!);
    const rise = (2 * this.#counts[to]! + 1) / Math.max(1e-9, this.shares[to]!);
    return Math.max(0, fall - rise);
  }

  #offOf(node: number): number {
    const count = this.#counts[node]!;
    return Math.max(0, count - this.#most[node]!, this.#least[node]! - count);
  }
}

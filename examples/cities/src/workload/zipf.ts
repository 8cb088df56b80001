/**
 * Ranks as people choose them: rank r comes up in proportion to 1 / (r + 1)^exponent. With exponent 1 and 100,000
 * items the first one gets 8 % of all picks and half of the items together 6 %.
 */
export class Zipf {
  /** Sum of the weights up to and with each rank. */
  readonly #sums: Float64Array;

  constructor(
    readonly count: number,
    readonly exponent: number,
  ) {
    this.#sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) {
      sum += (rank + 1) ** -exponent;
      this.#sums[rank] = sum;
    }
  }

  /** The rank, from 0, that a chance in [0, 1) picks. */
  rank(chance: number): number {
    const wanted = chance * (this.#sums[this.count - 1] as number);
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sums[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

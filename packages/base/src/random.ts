import { randomFillSync } from 'node:crypto';

/** Chance as a dependency, so that a seed replays a run. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A uniform unsigned 32-bit integer. */
  uint32(): number;
  /** A uniform integer in [0, below). */
  integer(below: number): number;
}

class SystemRandom implements Random {
  readonly #word = new Uint32Array(1);
  next(): number {
    return Math.random();
  }
  /** From the cryptographic source, so that it may key a hash. */
  uint32(): number {
    return randomFillSync(this.#word)[0] as number;
  }
  integer(below: number): number {
    return Math.floor(Math.random() * below);
  }
}

export const systemRandom: Random = new SystemRandom();

/** sfc32 (Chris Doty-Humphrey, PractRand): small, fast, and the same on every machine. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 ^ seed;
  let b = 0x243f6a88;
  let c = 0xb7e15162 ^ (seed / 0x100000000);
  let counter = 1;
  const uint32 = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 15; round++) uint32();
  const next = (): number => uint32() / 0x100000000;
  return { next, uint32, integer: (below) => Math.floor(next() * below) };
}

/**
 * The ways in which the adaptive policy can rule a cache. No fixed one is good everywhere: LRU loses everything on a loop
 * that is a little too large, frequency loses a third of all hits where keys are used once or at once again.
 */
export interface Mode {
  readonly kind: 'recency' | 'reuse' | 'count';
  /** The window: the share of the capacity in which a new entry has to prove itself. */
  readonly window: number;
  /** `count` only: so many recent requests admit an entry to the rest. */
  readonly countMin: number;
}

/**
 * recency: LRU. reuse: LIRS (Jiang and Zhang, 2002), which keeps what is asked for again within the time that the oldest
 * kept entry has lain idle. count: what leaves the window may stay if it was asked for often enough of late.
 */
export const MODES: readonly Mode[] = [
  { kind: 'recency', window: 1, countMin: 0 },
  { kind: 'reuse', window: 0.01, countMin: 0 },
  { kind: 'reuse', window: 0.1, countMin: 0 },
  { kind: 'count', window: 0.25, countMin: 3 },
  { kind: 'count', window: 0.1, countMin: 2 },
  { kind: 'count', window: 0.5, countMin: 2 },
];

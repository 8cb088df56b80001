import { LarderError } from '@larder/proto';

/**
 * The durations of the cluster protocol. They live in the view, so that all nodes have the same. What they must satisfy
 * is checked wherever they come in; DROP before LEASE means that an owner lets a silent successor go while it still may
 * serve, and GRACE before SUSPECT that nobody takes over while an old lease can be alive.
 */
export interface ClusterTimers {
  /** Between two heartbeats to each node. Shorter finds failures sooner and costs messages: nodes squared over this. */
  readonly heartbeatMs: number;
  /** An owner drops a successor that has not answered for this long. */
  readonly dropMs: number;
  /** How long a grant lets its holder serve, from the time when the heartbeat left. */
  readonly leaseMs: number;
  /** How long a granter waits until a lease is surely over, from the time when it granted. */
  readonly graceMs: number;
  /** A successor takes over from an owner that was silent for this long. */
  readonly suspectMs: number;
  /** How long a node may serve without having reached the view store. Infinity: for ever, and then rule R7 is off. */
  readonly viewLeaseMs: number;
  /** How long a fresh copy waits until nobody can be serving under the view before. */
  readonly viewGraceMs: number;
  /** A partition whose owner and successor were silent for this long is declared lost. */
  readonly lostAfterMs: number;
  /** Deadline of one call of the view store; afterwards a compare-and-set counts as unknown. */
  readonly storeCallMs: number;
  readonly viewPollMs: number;
}

/** Two clocks of the same kind may differ by 2 % over a lease; 30 ms and 400 ms are room for turns of the event loop. */
const graceOf = (leaseMs: number): number => Math.ceil(1.02 * leaseMs + 30);
const viewGraceOf = (leaseMs: number): number => Math.ceil(1.02 * leaseMs + 400);

/** One machine room. The source of every number is section 3 of the protocol: it was tried in simulation. */
export const LAN_TIMERS: ClusterTimers = {
  heartbeatMs: 200,
  dropMs: 700,
  leaseMs: 1_000,
  graceMs: graceOf(1_000),
  suspectMs: graceOf(1_000),
  viewLeaseMs: 10_000,
  viewGraceMs: viewGraceOf(10_000),
  lostAfterMs: 6_000,
  storeCallMs: 400,
  viewPollMs: 1_000,
};

/** Several rooms or busy machines: four times as patient, and as slow to take over. */
export const WAN_TIMERS: ClusterTimers = {
  heartbeatMs: 800,
  dropMs: 2_800,
  leaseMs: 4_000,
  graceMs: graceOf(4_000),
  suspectMs: graceOf(4_000),
  viewLeaseMs: 30_000,
  viewGraceMs: viewGraceOf(30_000),
  lostAfterMs: 20_000,
  storeCallMs: 1_500,
  viewPollMs: 2_000,
};

/** By the names that a configuration gives them. */
export const TIMER_PRESETS = { lan: LAN_TIMERS, wan: WAN_TIMERS } as const;
export type TimerPreset = keyof typeof TIMER_PRESETS;

/** What a compare-and-set usually takes at most: between dropping a successor and the end of a lease there must be one. */
const STORE_CALL_USUAL_MS = 100;
const TIMER_MS_MAX = 2 ** 31;

/** Throws CONFIG, naming the relation that does not hold. */
export function checkTimers(timers: ClusterTimers): void {
  for (const [name, value] of Object.entries(timers)) {
    const endless = name.startsWith('view') && value === Number.POSITIVE_INFINITY;
    if (!endless && !(Number.isInteger(value) && value >= 1 && value <= TIMER_MS_MAX)) {
      throw new LarderError(
        'CONFIG',
        `timers.${name} is ${value}; allowed are whole numbers from 1 to ${TIMER_MS_MAX}`,
      );
    }
  }
  const { heartbeatMs, dropMs, leaseMs, graceMs, suspectMs, lostAfterMs, viewLeaseMs, viewGraceMs, viewPollMs } =
    timers;
  const relations: [boolean, string][] = [
    [3 * heartbeatMs < dropMs, '3 x heartbeatMs < dropMs'],
    [dropMs + STORE_CALL_USUAL_MS < leaseMs, `dropMs + ${STORE_CALL_USUAL_MS} < leaseMs`],
    [graceMs >= graceOf(leaseMs), 'graceMs >= 1.02 x leaseMs + 30'],
    [graceMs <= suspectMs, 'graceMs <= suspectMs'],
    [suspectMs < lostAfterMs, 'suspectMs < lostAfterMs'],
    [viewPollMs < viewLeaseMs, 'viewPollMs < viewLeaseMs'],
    [viewGraceMs >= viewGraceOf(viewLeaseMs), 'viewGraceMs >= 1.02 x viewLeaseMs + 400'],
  ];
  for (const [holds, relation] of relations) {
    if (!holds) throw new LarderError('CONFIG', `timers must satisfy ${relation}; they are ${JSON.stringify(timers)}`);
  }
}

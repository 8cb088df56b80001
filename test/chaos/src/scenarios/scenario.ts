import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosWorld } from '../chaos-world.js';
import { monotonicMs } from '../load/monotonic.js';

/** How long the faults of a run last, and how large they are. */
export interface Pace {
  readonly freezeMs: number;
  readonly cutMs: number;
  /** Longer than LAN_TIMERS.lostAfterMs, also in the short form. */
  readonly pairMs: number;
  readonly slowMs: number;
  /** How many nodes join and leave again. */
  readonly joining: number;
}

/** Of a run that takes minutes, and of the short form that the tests run. */
export const FULL_PACE: Pace = { freezeMs: 10_000, cutMs: 10_000, pairMs: 10_000, slowMs: 10_000, joining: 2 };
export const SHORT_PACE: Pace = { freezeMs: 2_500, cutMs: 2_500, pairMs: 7_500, slowMs: 1_500, joining: 1 };

/** One fault, or one round of faults that belong together, until the cluster is whole again. */
export type Scenario = (faults: Faults) => Promise<void>;

/** Causes faults, counts them, and measures for how long the keys of the node that is hit are away. */
export class Faults {
  count = 0;
  readonly windowsMs: number[] = [];

  /** `progress` is told of each fault, for people. */
  constructor(
    readonly world: ChaosWorld,
    readonly pace: Pace,
    private readonly progress: (line: string) => void = () => {},
  ) {}

  /** Any of the nodes that run. */
  anyNode(): string {
    const { nodes } = this.world.cluster;
    return nodes[this.world.random.integer(nodes.length)]!.id;
  }

  /** Any of the others. */
  otherThan(id: string): string {
    const others = this.world.cluster.nodes.filter((node) => node.id !== id);
    return others[this.world.random.integer(others.length)]!.id;
  }

  /** `what` was done to the node, for people. Resolves when the fault is over and the cluster whole again. `hold` lasts for as long as the fault is to last. */
  async cause(
    id: string,
    what: string,
    begin: () => unknown,
    hold: (probing: Hold) => Promise<void>,
    end: () => unknown,
  ): Promise<void> {
    const { probe, watch } = this.world;
    await this.world.loaded();
    const probing = await probe.begin(id);
    const beganMs = monotonicMs();
    this.count++;
    await begin();
    await hold({ answered: () => probing.answeredSince(beganMs + TAKEN_OVER_MS_MIN) });
    await end();
    const endedMs = monotonicMs();
    await probing.answeredSince(endedMs);
    const windowsMs = await probing.end();
    this.windowsMs.push(...windowsMs);
    await watch.settled();
    const [longestMs, faultMs, healMs] = [Math.max(...windowsMs), endedMs - beganMs, monotonicMs() - endedMs].map(
      Math.round,
    );
    this.progress(
      `fault ${this.count}, ${what} ${id}: ${faultMs} ms, longest window ${longestMs} ms, whole again after ${healMs} ms`,
    );
  }
}

/** Nobody takes over sooner, so what is answered later than this is answered by who did. */
const TAKEN_OVER_MS_MIN = 700;

export interface Hold {
  /** Resolves when the keys of the node that was hit are answered again. */
  answered(): Promise<void>;
}

export function forMs(durationMs: number): () => Promise<void> {
  return () => sleep(durationMs);
}

import type { Timer } from '@larder/base';
import type { Replicator } from '../replication/replicator.js';
import type { Holdings } from './holdings.js';
import type { MemberOptions } from './member-options.js';

/**
 * Goes on with the filling of copies in small steps, as long as there is something to fill. What a whole tick may send
 * would keep the event loop, and that of the receiver, for tens of milliseconds in one piece, and calls with it.
 */
export interface PumpedMember {
  readonly options: Pick<MemberOptions, 'clock' | 'syncBytesPerSecond'>;
  readonly holdings: Holdings;
  flush(): void;
}

const BYTES_PER_SECOND = 64 * 1024 * 1024;
const STEP_MS = 5;

export class SyncPump {
  /** Until the next step; below zero by one chunk at most. */
  bytesLeft = 0;
  #timer: Timer | undefined;

  constructor(readonly member: PumpedMember) {}

  /** Does nothing if it runs. It ends by itself. */
  start(): void {
    this.#timer ??= this.member.options.clock.after(STEP_MS, this.#step);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  readonly #step = (): void => {
    const { options, holdings } = this.member;
    this.#timer = undefined;
    const bytes = ((options.syncBytesPerSecond ?? BYTES_PER_SECOND) * STEP_MS) / 1_000;
    this.bytesLeft = Math.min(bytes, this.bytesLeft + bytes);
    const filling: Replicator[] = holdings.replicators().filter(({ isFilling }) => isFilling);
    if (filling.length === 0) return;
    for (const replicator of filling) replicator.fill();
    this.start();
    this.member.flush();
  };
}

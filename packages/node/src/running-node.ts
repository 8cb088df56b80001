import type { Clock } from '@larder/base';
import { liveChanges } from './config/live-changes.js';
import type { ResolvedNodeConfig } from './config.js';
import type { OpenedViewStore } from './link/open-view-store.js';
import type { Membership } from './membership.js';
import type { Origins } from './origins.js';
import { drainAll } from './server/admin.js';
import type { Forwarder } from './server/forward.js';
import type { GrpcServer } from './server/grpc-server.js';
import type { ServerContext } from './server/server-context.js';

export interface NodeParts {
  readonly context: ServerContext;
  readonly server: GrpcServer;
  readonly forwarder: Forwarder;
  readonly membership: Membership;
  readonly viewStore: OpenedViewStore;
  readonly stopMaintenance: () => void;
  readonly origins: Origins;
  readonly clock: Clock;
  /** As it was at the start. */
  readonly config: ResolvedNodeConfig;
}

/** What a node left behind when it stopped. */
export interface StopReport {
  /** Acknowledged writes that did not reach their origin. */
  readonly pendingWrites: number;
  /** Operations that were cut off. */
  readonly unfinished: number;
}

const IDLE_POLL_MS = 5;
/** For streams and connections, of clients and to the database, to end by themselves once nothing is left to say. */
const CLOSE_TIMEOUT_MS = 1_000;

/** A node that serves, and the order in which it stops. */
export class RunningNode implements AsyncDisposable {
  #closing: Promise<StopReport> | undefined;
  #config: ResolvedNodeConfig;

  constructor(
    readonly id: string,
    private readonly parts: NodeParts,
  ) {
    this.#config = parts.config;
  }

  /**
   * Takes the policies of an edited config, from this turn on. No write is lost or doubled: what has begun ends as it
   * began, and writes of a key stay in order. Returns the caches whose policies have changed. Throws CONFIG, and changes
   * nothing, if the config differs in what only a restart can change.
   */
  reconfigure(edited: ResolvedNodeConfig): readonly string[] {
    const { policies } = liveChanges(this.#config, edited);
    this.#config = edited;
    for (const { name, loader } of this.parts.context.caches.all) {
      const policy = policies.get(name);
      if (policy !== undefined) loader.setPolicy(policy);
    }
    return [...policies.keys()];
  }

  /** Acknowledged writes that have not reached their origin yet. */
  get pendingWrites(): number {
    return this.parts.context.caches.all.reduce((sum, cache) => sum + cache.loader.statistics().pendingWrites, 0);
  }

  /**
   * Hands its partitions over while it goes on serving, then refuses new operations with UNAVAILABLE, finishes those in
   * flight, sends pending writes to their origins, all within `drainTimeout`, then ends all streams and gives everything
   * back. Calling it again awaits the same end.
   */
  close(): Promise<StopReport> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stop(): Promise<StopReport> {
    const { context, server, forwarder, membership, stopMaintenance, origins, clock } = this.parts;
    const deadlineMs = clock.monotonicMs() + this.parts.config.drainTimeoutMs;
    server.stopServing();
    await atMost(clock, this.parts.config.drainTimeoutMs / 2, membership.leave());
    context.draining = true;
    const unfinished = await this.#untilIdle(deadlineMs);
    const pendingWrites = await drainAll(context.caches.all, Math.max(0, deadlineMs - clock.monotonicMs()));
    await server.close(CLOSE_TIMEOUT_MS);
    forwarder.close();
    for (const cache of context.caches.all) cache.loader.close();
    membership.stop();
    this.parts.viewStore.close();
    stopMaintenance();
    // Statements that a lost database holds are not waited for any longer.
    await atMost(clock, CLOSE_TIMEOUT_MS, origins.close());
    return { pendingWrites, unfinished };
  }

  /** Resolves with how many operations are in flight: none, or those that the deadline cuts off. */
  #untilIdle(deadlineMs: number): Promise<number> {
    const { server, clock } = this.parts;
    return new Promise((resolve) => {
      const look = (): boolean => {
        if (server.inFlight > 0 && clock.monotonicMs() < deadlineMs) return false;
        resolve(server.inFlight);
        return true;
      };
      if (look()) return;
      const timer = clock.every(IDLE_POLL_MS, () => {
        if (look()) timer.cancel();
      });
    });
  }
}

/** Awaits the work, but no longer than that. */
function atMost(clock: Clock, timeoutMs: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, resolve);
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}

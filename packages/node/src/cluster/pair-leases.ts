import type { ElapsedTime, Mark } from './elapsed-time.js';
import { LONG_AGO } from './elapsed-time.js';
import type { ViewDocument } from './view-document.js';

/**
 * What a node knows of each other node in time: what it has granted, what it was granted, when it last heard.
 *
 * A lease begins for its holder when its heartbeat *left*, and for its granter when the reply leaves, which is later:
 * so it ends for the holder first, whatever the messages took. Incarnations are the keys, so that nothing of a process
 * is taken for its successor's.
 */
export class PairLeases {
  readonly #peers = new Map<string, Peer>();

  constructor(
    readonly time: ElapsedTime,
    readonly checksVersion = true,
  ) {}

  /** Begins to watch the members of a new view and forgets those of the view before. */
  follow(view: ViewDocument): void {
    const nowMs = this.time.clock.monotonicMs();
    const listed = new Set(view.members.map((member) => member.incarnation));
    for (const incarnation of this.#peers.keys()) if (!listed.has(incarnation)) this.#peers.delete(incarnation);
    for (const incarnation of listed) {
      if (this.#peers.has(incarnation)) continue;
      this.#peers.set(incarnation, {
        grantedMs: Number.NEGATIVE_INFINITY,
        heardMs: nowMs,
        answeredMs: nowMs,
        inTouchMs: nowMs,
        isDeaf: false,
        held: LONG_AGO,
      });
    }
  }

  heard(incarnation: string): void {
    const peer = this.#peers.get(incarnation);
    if (peer === undefined) return;
    peer.heardMs = this.time.clock.monotonicMs();
    if (!peer.isDeaf) peer.inTouchMs = peer.heardMs;
  }

  /**
   * Whether the peer hears this node, by its own word. One that does not can be granted nothing: what it holds of this
   * node's leases runs out as if it were dead, although it can be heard.
   */
  hears(incarnation: string, hears: boolean): void {
    const peer = this.#peers.get(incarnation);
    if (peer === undefined) return;
    peer.isDeaf = !hears;
    if (hears) peer.inTouchMs = this.time.clock.monotonicMs();
  }

  /** Whether it may be granted: only what the view lists is known here, and only who hears it is told. */
  grant(incarnation: string): boolean {
    const peer = this.#peers.get(incarnation);
    if (peer === undefined || peer.isDeaf) return false;
    peer.grantedMs = this.time.clock.monotonicMs();
    return true;
  }

  /** The peer answered a heartbeat that left at `sent`, under its view `version`. */
  granted(incarnation: string, sent: Mark, version: number, ownVersion: number): void {
    const peer = this.#peers.get(incarnation);
    if (peer === undefined) return;
    peer.answeredMs = this.time.clock.monotonicMs();
    if (version > ownVersion && this.checksVersion) return;
    if (sent.monotonicMs > peer.held.monotonicMs && sent.monotonicMs <= peer.answeredMs) peer.held = sent;
  }

  /** The peer acknowledged records: it is there, and so is the way back. */
  answered(incarnation: string): void {
    const peer = this.#peers.get(incarnation);
    if (peer !== undefined) peer.answeredMs = this.time.clock.monotonicMs();
  }

  /** What the peer has granted, for who looks often; undefined: nothing is known of it. */
  lease(incarnation: string): PeerLease | undefined {
    return this.#peers.get(incarnation);
  }

  /** How long ago the newest heartbeat left that this peer granted. */
  heldForMs(incarnation: string): number {
    const peer = this.#peers.get(incarnation);
    return peer === undefined ? Number.POSITIVE_INFINITY : this.time.held(peer.held);
  }

  /** When this node last granted to the peer; -Infinity if never. */
  grantedMs(incarnation: string): number {
    return this.#peers.get(incarnation)?.grantedMs ?? Number.NEGATIVE_INFINITY;
  }

  /** For how long nothing at all has come from the peer. */
  silentMs(incarnation: string): number {
    const peer = this.#peers.get(incarnation);
    return peer === undefined ? Number.POSITIVE_INFINITY : this.time.waited(peer.heardMs);
  }

  /** For how long nothing has come from the peer but that it does not hear this node. */
  outOfTouchMs(incarnation: string): number {
    const peer = this.#peers.get(incarnation);
    return peer === undefined ? Number.POSITIVE_INFINITY : this.time.waited(peer.inTouchMs);
  }

  /** For how long the peer has answered nothing: there may be no way to it, even if it can be heard. */
  unansweredMs(incarnation: string): number {
    const peer = this.#peers.get(incarnation);
    return peer === undefined ? Number.POSITIVE_INFINITY : this.time.waited(peer.answeredMs);
  }

  /** This node was not running for a while, so it is no wonder that it heard nothing. Leases are left as they are. */
  forgive(): void {
    const nowMs = this.time.clock.monotonicMs();
    for (const peer of this.#peers.values()) {
      peer.heardMs = nowMs;
      peer.answeredMs = nowMs;
      peer.inTouchMs = nowMs;
    }
  }
}

/** Valid for as long as the views that are followed list the peer. */
export interface PeerLease {
  /** When the newest heartbeat left that the peer has granted. */
  readonly held: Mark;
}

interface Peer extends PeerLease {
  grantedMs: number;
  heardMs: number;
  answeredMs: number;
  inTouchMs: number;
  isDeaf: boolean;
  held: Mark;
}

import type { Clock, Random, Timer } from '@larder/base';
import {
  LarderError,
  PARTITION_COUNT,
  PEER_PROTOCOL_VERSION,
  type PeerIdentity,
  type SharedSettings,
} from '@larder/proto';
import type { Envelope } from '../replication/messages.js';
import { toStatus } from '../server/server-context.js';
import { IncomingLink, type IncomingLinkOwner, type IncomingStream } from './incoming-link.js';
import { PeerLink, type PeerLinkOwner, TICKS_OF_SILENCE } from './peer-link.js';
import { RefusalFilter } from './refusal-filter.js';

/**
 * What a node says to the others and hears from them: the transport below the cluster's state machines.
 *
 * It keeps one outgoing stream to every other member of the view, opened again with back-off (first 50 ms, at most 1 s)
 * whenever it breaks, and drops what is sent while there is none; the state machines send again what matters. A node
 * that is no member but speaks to this one, because it wants to join, is a guest: it gets a stream too, so that it can be
 * answered, for as long as it is heard.
 *
 * Order: what is sent to a node arrives in the order in which it was sent, but that heartbeats, grants,
 * acknowledgements and probes may overtake records, snapshots and views. So however much is under way, a heartbeat
 * waits for one frame (1 MiB) and the socket's buffer: a hundredth of a second at 1 Gbit/s. How much is under way at
 * all is bounded by whoever sends it: pending writes of a node by 64 MiB, chunks of a snapshot by four without
 * acknowledgement and by the syncBytesPerSecond of a member; and here by UNSENT_BYTES_MAX.
 */

/** 64 MiB of pending writes, which all may have the same successor, and 16 MiB for everything else. */
const UNSENT_BYTES_MAX = 80 * 1024 * 1024;
const SILENCE_MS = 2_000;
/** Nodes that join at a time; more are not answered until there is room. */
const GUESTS_MAX = 64;
const GUEST_KEPT_MS = 10_000;
/** Twice the members that a view may have: each has one stream, and for a while its successor's. */
const INCOMING_MAX = 2_048;

export interface PeerLinksHost {
  /** From a node of the same protocol, partition count and cluster. Keys and values are valid within the call. */
  received(envelope: Envelope): void;
  /** A new stream to the node stands; what was sent on the one before may be gone. */
  opened(node: string): void;
  /** Told once per peer and reason. `node` may be an address, if who was refused did not say who it is. */
  refused(node: string, error: LarderError): void;
}

export interface PeerLinksOptions {
  readonly selfId: string;
  /** host:port where other nodes reach this one. */
  readonly address: string;
  /** Of this start of the member, and the cluster that it belongs to; each '' while there is none. */
  readonly identity: () => { readonly incarnation: string; readonly cluster: string };
  /** Nodes with others are not spoken to. */
  readonly settings: SharedSettings;
  readonly clock: Clock;
  readonly random: Random;
  /** A link on which nothing comes back for so long, although something was sent, is opened anew. Default 2,000. */
  readonly silenceMs?: number;
  /** Bytes for one node that the system has not taken yet; beyond it the link is opened anew. Default 80 MiB. */
  readonly unsentBytesMax?: number;
  /** Default 1,024. */
  readonly partitionCount?: number;
}

export interface LinkedMember {
  readonly id: string;
  readonly address: string;
  readonly incarnation: string;
}

interface Peer {
  readonly link: PeerLink;
  /** '' for a guest. */
  incarnation: string;
  heardMs: number;
}

export class PeerLinks implements IncomingLinkOwner, PeerLinkOwner {
  readonly clock: Clock;
  readonly partitionCount: number;
  readonly settings: SharedSettings;
  readonly #peers = new Map<string, Peer>();
  readonly #incoming = new Set<IncomingLink>();
  readonly #refusals = new RefusalFilter();
  readonly #ticking: Timer;
  #guests = 0;
  #closed = false;

  constructor(
    readonly host: PeerLinksHost,
    readonly options: PeerLinksOptions,
  ) {
    this.clock = options.clock;
    this.settings = options.settings;
    this.partitionCount = options.partitionCount ?? PARTITION_COUNT;
    this.#ticking = options.clock.every((options.silenceMs ?? SILENCE_MS) / TICKS_OF_SILENCE, () => this.#tick());
  }

  /** Nodes to which a stream stands. */
  get openCount(): number {
    let count = 0;
    for (const { link } of this.#peers.values()) if (link.isOpen) count++;
    return count;
  }

  /** The members of the view, this node among them or not. Links to others end. */
  follow(members: readonly LinkedMember[]): void {
    if (this.#closed) return;
    const others = new Map(members.filter(({ id }) => id !== this.options.selfId).map((member) => [member.id, member]));
    for (const [id, { incarnation }] of this.#peers) if (incarnation !== '' && !others.has(id)) this.#drop(id);
    for (const member of others.values()) this.#followOne(member);
  }

  /** Into the stream to that node; dropped if there is none. Leaves at the end of this turn. */
  send(node: string, envelope: Envelope): void {
    this.#peers.get(node)?.link.send(envelope);
  }

  /** Begins to write what was sent, now instead of at the end of the turn. */
  flush(): void {
    for (const { link } of this.#peers.values()) link.flush();
  }

  /** The handler of PeerService.Link. */
  readonly accept = (stream: IncomingStream): void => {
    const fault = this.#faultOfAccepting();
    if (fault === undefined) this.#incoming.add(new IncomingLink(stream, this));
    else stream.emit('error', toStatus(fault));
  };

  /** Ends all streams, in both directions. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ticking.cancel();
    for (const id of this.#peers.keys()) this.#drop(id);
    for (const link of this.#incoming) link.end();
  }

  self(): PeerIdentity {
    const { selfId: node, address, identity } = this.options;
    const { cluster, incarnation } = identity();
    const { partitionCount } = this;
    return { protocol: PEER_PROTOCOL_VERSION, partitionCount, cluster, node, incarnation, address };
  }

  heard({ node, address }: PeerIdentity): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) this.#welcome(node, address);
    else if (peer.incarnation === '') {
      peer.heardMs = this.clock.monotonicMs();
      if (peer.link.address !== address) this.#drop(node);
    }
  }

  received(envelope: Envelope): void {
    this.host.received(envelope);
  }

  ended(link: IncomingLink): void {
    this.#incoming.delete(link);
  }

  opened(node: string): void {
    this.host.opened(node);
  }

  refused(node: string, error: LarderError): void {
    if (this.#refusals.isNew(node, error)) this.host.refused(node, error);
  }

  #faultOfAccepting(): LarderError | undefined {
    const { selfId: node, identity } = this.options;
    if (this.#closed) return new LarderError('UNAVAILABLE', `node ${node} is shutting down`, { node });
    if (identity().incarnation === '')
      return new LarderError('UNAVAILABLE', `node ${node} takes no part yet`, { node });
    if (this.#incoming.size < INCOMING_MAX) return undefined;
    return new LarderError('BUSY', `node ${node} has ${INCOMING_MAX} links, its bound`, { node });
  }

  #followOne({ id, address, incarnation }: LinkedMember): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) {
      this.#peers.set(id, { link: this.#open(id, address), incarnation, heardMs: 0 });
      return;
    }
    const isNews = peer.incarnation !== incarnation || peer.link.address !== address;
    if (peer.incarnation === '') this.#guests--;
    peer.incarnation = incarnation;
    if (isNews) peer.link.moveTo(address, incarnation);
  }

  #welcome(node: string, address: string): void {
    if (this.#closed || this.#guests >= GUESTS_MAX) return;
    this.#guests++;
    this.#peers.set(node, { link: this.#open(node, address), incarnation: '', heardMs: this.clock.monotonicMs() });
  }

  #open(node: string, address: string): PeerLink {
    const { settings, clock, random, unsentBytesMax = UNSENT_BYTES_MAX } = this.options;
    return new PeerLink(address, { node, self: () => this.self(), settings, clock, random, unsentBytesMax }, this);
  }

  #drop(node: string): void {
    const peer = this.#peers.get(node)!;
    this.#peers.delete(node);
    if (peer.incarnation === '') this.#guests--;
    peer.link.close();
  }

  #tick(): void {
    const keptSinceMs = this.clock.monotonicMs() - GUEST_KEPT_MS;
    for (const [id, { link, incarnation, heardMs }] of this.#peers) {
      if (incarnation === '' && heardMs < keptSinceMs) this.#drop(id);
      else link.tick();
    }
  }
}

import { assert } from '@larder/base';
import type { Envelope, PeerMessage, RecordRun } from '../replication/messages.js';
import { PeerViews } from './peer-views.js';
import type { ClusterTimers } from './timers.js';
import type { ViewDocument } from './view-document.js';

/**
 * What a member sends to its peers. A peer that may not have this node's view gets it before whatever depends on it, in
 * the same stream, and once: not with every message that it sent before the view arrived.
 *
 * Records of all partitions that go to one node in a turn leave as one message. A message of its own for each partition
 * cost both nodes more than its records: of a thousand partitions hardly any has two of them in a turn.
 */
export interface SendingMember {
  readonly self: { readonly id: string; readonly incarnation: string };
  readonly view: ViewDocument | undefined;
  /** The view as it is stored. */
  readonly document: Uint8Array;
  readonly listed: boolean;
  readonly timers: ClusterTimers;
  readonly host: { send(node: string, envelope: Envelope): void };
  nowMs(): number;
  readView(): void;
}

export class Outbox {
  readonly peers = new PeerViews();
  readonly #runs = new Map<string, RecordRun[]>();

  constructor(readonly member: SendingMember) {}

  /** Behind the records that were given before. */
  send(node: string, message: PeerMessage): void {
    if (this.#runs.size > 0) this.#sendRecords(node);
    if (message.kind === 'sync') this.#update(node);
    this.#transmit(node, message);
  }

  /** Leaves with `flush`, or before what is sent to the node next. */
  replicate(node: string, run: RecordRun): void {
    const runs = this.#runs.get(node);
    if (runs === undefined) this.#runs.set(node, [run]);
    else runs.push(run);
  }

  flush(): void {
    if (this.#runs.size > 0) for (const node of [...this.#runs.keys()]) this.#sendRecords(node);
  }

  push(node: string): void {
    const { view, document } = this.member;
    this.peers.pushed(node, view!.version, this.member.nowMs());
    this.#transmit(node, { kind: 'view', document });
  }

  /** What a peer's envelope says about its view. Messages that were under way for long say less than what was pushed. */
  peerVersion(node: string, version: number): void {
    const { member } = this;
    const own = member.view?.version ?? 0;
    this.peers.heard(node, version);
    if (version > own) member.readView();
    else if (version < own && member.listed && this.peers.pushedMs(node) <= member.nowMs() - member.timers.heartbeatMs)
      this.push(node);
  }

  #sendRecords(node: string): void {
    const runs = this.#runs.get(node);
    if (runs === undefined) return;
    this.#runs.delete(node);
    this.#update(node);
    this.#transmit(node, { kind: 'replicate', runs });
  }

  #update(node: string): void {
    if (this.peers.versionOf(node) < this.member.view!.version) this.push(node);
  }

  #transmit(node: string, message: PeerMessage): void {
    const { self, view, host } = this.member;
    assert(node !== self.id, 'a message to oneself');
    const { cluster = '', version = 0 } = view ?? {};
    const { id, incarnation } = self;
    host.send(node, { cluster, node: id, incarnation, viewVersion: version, message });
  }
}

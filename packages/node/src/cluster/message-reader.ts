import { unreachable } from '@larder/base';
import { LarderError } from '@larder/proto';
import type {
  Acknowledge,
  AcknowledgedCopy,
  Clean,
  Envelope,
  PeerMessage,
  RecordRun,
  Replicate,
  SyncChunk,
} from '../replication/messages.js';
import type { Replica } from '../replication/replica.js';
import type { Hearsay } from './hearsay.js';
import type { Holdings } from './holdings.js';
import type { PairLeases } from './pair-leases.js';
import type { ProtocolRules } from './protocol-rules.js';
import type { ViewDocument } from './view-document.js';

/**
 * What a member does with each message. Whoever sent it may be long dead, may live under an older or a newer view, or
 * belong to another cluster: a message counts only as far as the installed view says so.
 */
export interface ReadingMember {
  readonly hearsay: Hearsay;
  readonly unheard: readonly string[];
  readonly view: ViewDocument | undefined;
  readonly self: { readonly id: string };
  readonly leases: PairLeases;
  readonly holdings: Holdings;
  readonly rules: ProtocolRules;
  nowMs(): number;
  /** Of a member of the view; '' if it is none. */
  incarnationOf(id: string): string;
  send(node: string, message: PeerMessage): void;
  peerVersion(node: string, version: number): void;
  offerDocument(document: Uint8Array, from: string): void;
  probeAnswered(node: string): void;
  refuse(node: string, error: LarderError): void;
}

export class MessageReader {
  constructor(readonly member: ReadingMember) {}

  receive(envelope: Envelope): void {
    const { member } = this;
    const { message, node } = envelope;
    if (member.view !== undefined && envelope.cluster !== '' && envelope.cluster !== member.view.cluster) {
      member.refuse(
        node,
        new LarderError(
          'INCOMPATIBLE',
          `it belongs to cluster ${envelope.cluster}, this node to ${member.view.cluster}`,
        ),
      );
      return;
    }
    if (message.kind === 'view') member.offerDocument(message.document, node);
    if (message.kind !== 'probe' && message.kind !== 'probed') member.peerVersion(node, envelope.viewVersion);
    const listed = envelope.incarnation !== '' && member.incarnationOf(node) === envelope.incarnation;
    if (listed) member.leases.heard(envelope.incarnation);
    if (listed || !member.rules.incarnations || message.kind === 'probe' || message.kind === 'probed') {
      this.#handle(message, envelope);
    }
  }

  #handle(message: PeerMessage, envelope: Envelope): void {
    const { member } = this;
    const { node, incarnation, viewVersion } = envelope;
    switch (message.kind) {
      case 'heartbeat': {
        const { monotonicMs, wallMs } = message;
        const { unheard } = member;
        member.leases.hears(incarnation, !message.unheard.includes(member.self.id));
        if (member.leases.grant(incarnation)) member.send(node, { kind: 'grant', monotonicMs, wallMs, unheard });
        return;
      }
      case 'grant':
        member.hearsay.told(node, message.unheard);
        member.leases.granted(incarnation, message, viewVersion, member.view!.version);
        return;
      case 'replicate':
        this.#replicate(message, node);
        return;
      case 'acknowledge':
        member.leases.answered(incarnation);
        this.#acknowledged(message);
        return;
      case 'sync':
        this.#sync(message, node);
        return;
      case 'clean':
        this.#accepting(message, node)?.clean(message);
        return;
      case 'sync-acknowledge': {
        member.leases.answered(incarnation);
        const { partition, copy, attempt, chunk, seq } = message;
        member.holdings.owner(partition)?.chunkAcknowledged(copy, attempt, chunk, seq);
        return;
      }
      case 'probe':
        member.send(node, { kind: 'probed' });
        return;
      case 'probed':
        member.probeAnswered(node);
        return;
      case 'view':
        return;
      default:
        unreachable(message);
    }
  }

  #replicate({ runs }: Replicate, node: string): void {
    const copies: AcknowledgedCopy[] = [];
    for (const run of runs) {
      const held = this.#accepting(run, node)?.replicate(run);
      if (held !== undefined) copies.push(held);
    }
    if (copies.length > 0) this.member.send(node, { kind: 'acknowledge', copies });
  }

  #acknowledged({ copies }: Acknowledge): void {
    const { holdings } = this.member;
    for (const { partition, copy, attempt, seq } of copies) {
      holdings.owner(partition)?.acknowledged(copy, attempt, seq);
    }
  }

  #sync(message: SyncChunk, node: string): void {
    const answer = this.#accepting(message, node)?.sync(message);
    if (answer !== undefined) this.member.send(node, answer);
  }

  /** The copy, if the view has this epoch, this sender as owner, and this copy here as successor or learner. */
  #accepting({ partition, epoch, copy }: RecordRun | SyncChunk | Clean, node: string): Replica | undefined {
    const { holdings, rules } = this.member;
    const replica = holdings.replica(partition);
    if (replica === undefined) return undefined;
    if (rules.epochCheck && (replica.epoch !== epoch || replica.owner !== node)) return undefined;
    if (rules.copyIds && replica.copy !== copy) return undefined;
    return replica;
  }
}

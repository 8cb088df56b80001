import { unreachable } from '@larder/base';
import { PeerMessageFields, PeerMessageKind, type PeerRecord, type PeerRequest, packed } from '@larder/proto';
import type { AcknowledgedCopy, Clean, PeerMessage, RecordRun, SyncAcknowledge } from '../replication/messages.js';

/**
 * A message as peer.proto has it: the fields in one object that serves for all, records and requests as they are. What
 * speaks of many partitions at once is a PeerMessage for each of them.
 */
export class MessageEncoding {
  readonly fields = new PeerMessageFields();
  records: readonly PeerRecord[] | undefined;
  requests: readonly PeerRequest[] | undefined;

  /** How many PeerMessages it is. */
  static parts(message: PeerMessage): number {
    if (message.kind === 'replicate') return message.runs.length;
    return message.kind === 'acknowledge' ? message.copies.length : 1;
  }

  /** Takes one of its parts. */
  of(message: PeerMessage, part = 0): void {
    const { fields } = this;
    this.records = undefined;
    this.requests = undefined;
    fields.clear(KINDS[message.kind]);
    switch (message.kind) {
      case 'heartbeat':
      case 'grant':
        fields.monotonicMs = message.monotonicMs;
        fields.wallMs = message.wallMs;
        if (message.unheard.length > 0) {
          fields.document = Buffer.from(message.unheard.join(UNHEARD_SEPARATOR));
        }
        return;
      case 'replicate':
        this.#replicate(message.runs[part]!);
        return;
      case 'acknowledge':
        this.#acknowledge(message.copies[part]!);
        return;
      case 'sync-acknowledge':
        this.#acknowledge(message);
        fields.chunk = message.chunk;
        return;
      case 'sync':
        this.#place(message);
        fields.attempt = message.attempt;
        fields.chunk = message.chunk;
        fields.last = message.last;
        fields.seq = message.baseSeq;
        this.records = message.entries;
        this.requests = message.requests;
        return;
      case 'view':
        fields.document = message.document;
        return;
      case 'clean':
        this.#place(message);
        this.records = [cleaned(message)];
        return;
      case 'probe':
      case 'probed':
        return;
      default:
        unreachable(message);
    }
  }

  #replicate(run: RecordRun): void {
    this.#place(run);
    this.records = run.records;
  }

  #acknowledge({ partition, copy, attempt, seq }: AcknowledgedCopy | SyncAcknowledge): void {
    const { fields } = this;
    fields.partition = partition;
    fields.copy = copy;
    fields.attempt = attempt;
    fields.seq = seq;
  }

  #place(message: { readonly partition: number; readonly epoch: number; readonly copy: number }): void {
    this.fields.partition = message.partition;
    this.fields.epoch = message.epoch;
    this.fields.copy = message.copy;
  }
}

/** No id of a node has one. */
export const UNHEARD_SEPARATOR = '\n';

const KINDS: Readonly<Record<PeerMessage['kind'], number>> = {
  heartbeat: PeerMessageKind.heartbeat,
  grant: PeerMessageKind.grant,
  replicate: PeerMessageKind.replicate,
  acknowledge: PeerMessageKind.acknowledge,
  sync: PeerMessageKind.sync,
  'sync-acknowledge': PeerMessageKind.syncAcknowledge,
  view: PeerMessageKind.view,
  clean: PeerMessageKind.clean,
  probe: PeerMessageKind.probe,
  probed: PeerMessageKind.probed,
};

/** Short messages that may overtake what is long: they say what is so, whatever else is on its way. */
export function isUrgent(message: PeerMessage): boolean {
  const { kind } = message;
  return kind !== 'replicate' && kind !== 'sync' && kind !== 'view' && kind !== 'clean';
}

function cleaned({ cache, key, version: { epoch, seq } }: Clean): PeerRecord {
  return { epoch, seq, cache, ...packed(key, undefined), ttlMs: 0, flags: 0, request: undefined, result: 0 };
}

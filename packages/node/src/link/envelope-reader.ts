import { areTagHashes, EntryFlag, hasTrailer } from '@larder/loader';
import {
  CACHE_COUNT_MAX,
  KEY_BYTES_MAX,
  LarderError,
  LINK_FRAME_BYTES_MAX,
  LINK_MESSAGE_BYTES_MAX,
  NO_ATTEMPT,
  NO_VALUE,
  PeerFrameReader,
  type PeerIdentity,
  PeerMessageKind,
  packedKey,
  RECORD_EPOCH_MAX,
  RECORD_SEQ_MAX,
  TTL_MS_MAX,
} from '@larder/proto';
import { MEMBERS_MAX } from '../cluster/view-document.js';
import type { AcknowledgedCopy, Envelope, PeerMessage, RecordRun } from '../replication/messages.js';
import { RecordFlag, type ReplicatedRecord, type RequestId } from '../replication/record.js';
import type { LoggedRequest } from '../replication/request-log.js';
import { UNHEARD_SEPARATOR } from './envelope-encoding.js';

const NOBODY: readonly string[] = [];

/**
 * Frames of one link as envelopes. Keys and values lie in the frame, which they keep alive: whoever keeps one for
 * longer than the call copies it. Everything that is thrown is a LarderError; then nothing that follows on this link
 * could be trusted.
 */
export class EnvelopeReader {
  readonly #reader = new PeerFrameReader();
  #sender: PeerIdentity | undefined;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #partsAreWhole = false;
  /** The reader has stepped to a message that is not taken yet. */
  #isAhead = false;

  constructor(readonly partitionCount: number) {}

  /** Takes the next frame and returns who sent it. */
  open(frame: Buffer): PeerIdentity {
    this.#isAhead = false;
    if (frame.length > LINK_FRAME_BYTES_MAX) {
      throw fault(`a frame of ${frame.length} bytes; allowed are ${LINK_FRAME_BYTES_MAX}`);
    }
    const reader = this.#reader;
    reader.open(frame);
    this.#sender = reader.sender();
    if (reader.hasPart) this.#keepPart(frame.subarray(reader.partStart, reader.partEnd), reader.isLastPart);
    return this.#sender;
  }

  /** The node that the frame is meant for. */
  get receiver(): string {
    return this.#reader.receiver;
  }

  /** The frame's next message, in which records and acknowledgements of many partitions are put together; undefined at its end. */
  next(): Envelope | undefined {
    const reader = this.#reader;
    if (this.#partsAreWhole) reader.openMessage(this.#takeParts());
    else if (this.#isAhead) this.#isAhead = false;
    else if (!reader.next()) return undefined;
    const { cluster, node, incarnation } = this.#sender!;
    return { cluster, node, incarnation, viewVersion: reader.viewVersion, message: this.#message() };
  }

  #keepPart(part: Buffer, isLast: boolean): void {
    this.#partBytes += part.length;
    if (part.length === 0) throw fault('an empty part of a message');
    if (this.#partBytes > LINK_MESSAGE_BYTES_MAX) {
      throw fault(`a message of more than ${LINK_MESSAGE_BYTES_MAX} bytes`);
    }
    if (this.#parts.length === PARTS_MAX) throw fault(`a message of more than ${PARTS_MAX} parts`);
    // A copy, since a frame may be far larger than the part in it.
    this.#parts.push(Buffer.from(part));
    this.#partsAreWhole = isLast;
  }

  #takeParts(): Buffer {
    const message = Buffer.concat(this.#parts, this.#partBytes);
    this.#parts = [];
    this.#partBytes = 0;
    this.#partsAreWhole = false;
    return message;
  }

  #message(): PeerMessage {
    const { kind, partition, copy, seq, attempt, chunk, monotonicMs, wallMs } = this.#reader;
    switch (kind) {
      case PeerMessageKind.heartbeat:
        return { kind: 'heartbeat', monotonicMs, wallMs, unheard: this.#unheard() };
      case PeerMessageKind.grant:
        return { kind: 'grant', monotonicMs, wallMs, unheard: this.#unheard() };
      case PeerMessageKind.probe:
        return { kind: 'probe' };
      case PeerMessageKind.probed:
        return { kind: 'probed' };
      case PeerMessageKind.view:
        return { kind: 'view', document: this.#document() };
      default:
    }
    this.#checkPlace();
    switch (kind) {
      case PeerMessageKind.replicate:
        return { kind: 'replicate', runs: this.#runs() };
      case PeerMessageKind.acknowledge:
        return { kind: 'acknowledge', copies: this.#acknowledged() };
      case PeerMessageKind.syncAcknowledge:
        return { kind: 'sync-acknowledge', partition, copy, attempt, chunk, seq };
      case PeerMessageKind.sync:
        return this.#sync();
      case PeerMessageKind.clean:
        return this.#clean();
      default:
        throw fault(`a message of kind ${kind}; this node knows 1 to ${PeerMessageKind.probed}`);
    }
  }

  #runs(): RecordRun[] {
    const runs: RecordRun[] = [];
    do {
      const { partition, epoch, copy } = this.#reader;
      runs.push({ partition, epoch, copy, records: this.#records() });
    } while (this.#goesOn(PeerMessageKind.replicate));
    return runs;
  }

  #acknowledged(): AcknowledgedCopy[] {
    const copies: AcknowledgedCopy[] = [];
    do {
      const { partition, copy, attempt, seq } = this.#reader;
      copies.push({ partition, copy, attempt, seq });
    } while (this.#goesOn(PeerMessageKind.acknowledge));
    return copies;
  }

  /** Steps to the frame's next message. False: it is of another kind, or there is none. */
  #goesOn(kind: number): boolean {
    if (!this.#reader.next()) return false;
    if (this.#reader.kind !== kind) {
      this.#isAhead = true;
      return false;
    }
    this.#checkPlace();
    return true;
  }

  #sync(): PeerMessage {
    const { partition, epoch, copy, seq: baseSeq, attempt, chunk, last } = this.#reader;
    if (attempt === NO_ATTEMPT) throw fault('a snapshot without attempt');
    const place = { partition, epoch, copy, attempt, chunk, last, baseSeq };
    return { kind: 'sync', ...place, entries: this.#records(), requests: this.#requests() };
  }

  #clean(): PeerMessage {
    const { partition, epoch, copy, recordCount } = this.#reader;
    if (recordCount !== 1) throw fault(`${recordCount} records to be cleaned; allowed is 1`);
    const [record] = this.#records() as [ReplicatedRecord];
    const { cache, epoch: written, seq } = record;
    return { kind: 'clean', partition, epoch, copy, cache, key: packedKey(record), version: { epoch: written, seq } };
  }

  #unheard(): readonly string[] {
    const { bytes, documentStart, documentEnd } = this.#reader;
    if (documentStart === documentEnd) return NOBODY;
    const ids = bytes.toString('utf8', documentStart, documentEnd).split(UNHEARD_SEPARATOR);
    if (ids.length > MEMBERS_MAX) throw fault(`${ids.length} unheard members; allowed are ${MEMBERS_MAX}`);
    return ids;
  }

  /** A copy: whoever takes the view keeps it. */
  #document(): Uint8Array {
    const { bytes, documentStart, documentEnd } = this.#reader;
    return Uint8Array.prototype.slice.call(bytes, documentStart, documentEnd);
  }

  #records(): ReplicatedRecord[] {
    const reader = this.#reader;
    const records: ReplicatedRecord[] = [];
    while (reader.nextRecord()) records.push(this.#record());
    return records;
  }

  #record(): ReplicatedRecord {
    const reader = this.#reader;
    this.#checkRecord();
    const { bytes, recordEpoch: epoch, recordSeq: seq, cache, keyStart, keyEnd, ttlMs, flags, result } = reader;
    const valueStart = reader.hasValue ? reader.valueStart : NO_VALUE;
    const valueEnd = reader.hasValue ? reader.valueEnd : NO_VALUE;
    const request: RequestId | undefined = reader.hasClient
      ? { client: reader.client, number: reader.number, settledBelow: reader.settledBelow }
      : undefined;
    return { epoch, seq, cache, bytes, keyStart, keyEnd, valueStart, valueEnd, ttlMs, flags, request, result };
  }

  #requests(): LoggedRequest[] {
    const reader = this.#reader;
    const requests: LoggedRequest[] = [];
    while (reader.nextRequest()) {
      checkVersion(reader.recordEpoch, reader.recordSeq);
      const { client, number, settledBelow, recordSeq: seq, recordEpoch: epoch, result } = reader;
      requests.push({ client, number, settledBelow, seq, epoch, result });
    }
    return requests;
  }

  #checkPlace(): void {
    const { partition, epoch, seq } = this.#reader;
    if (partition >= this.partitionCount) {
      throw fault(`partition ${partition}; allowed are 0 to ${this.partitionCount - 1}`);
    }
    checkVersion(epoch, seq);
  }

  #checkTags(): void {
    const { bytes, flags, hasValue, valueStart, valueEnd } = this.#reader;
    const value = bytes.subarray(valueStart, valueEnd);
    const isEntry = (flags & RecordFlag.invalidation) === 0;
    if (isEntry ? hasValue && hasTrailer(value) : !hasValue || areTagHashes(value)) return;
    throw fault('a record with malformed tags');
  }

  #checkRecord(): void {
    const { recordEpoch, recordSeq, cache, keyStart, keyEnd, ttlMs, flags } = this.#reader;
    const keyBytes = keyEnd - keyStart;
    checkVersion(recordEpoch, recordSeq);
    if ((flags & WITH_TAGS) !== 0) this.#checkTags();
    if (cache >= CACHE_COUNT_MAX) throw fault(`cache ${cache}; allowed are 0 to ${CACHE_COUNT_MAX - 1}`);
    const hasKey = (flags & RecordFlag.invalidation) === 0;
    if ((hasKey && keyBytes < 1) || keyBytes > KEY_BYTES_MAX) {
      throw fault(`a key of ${keyBytes} bytes; allowed are 1 to ${KEY_BYTES_MAX}`);
    }
    if (ttlMs > TTL_MS_MAX) throw fault(`a remaining life of ${ttlMs} ms; allowed are ${TTL_MS_MAX}`);
    if (flags > FLAGS_MAX && flags !== RecordFlag.invalidation) {
      throw fault(`flags ${flags}; allowed are 0 to ${FLAGS_MAX} and ${RecordFlag.invalidation}`);
    }
  }
}

const WITH_TAGS = EntryFlag.tagged | RecordFlag.invalidation;

/** Several times what the longest message has in parts of the size that nodes send. */
const PARTS_MAX = 1_024;
/** All those of EntryFlag. */
const FLAGS_MAX = 31;

function checkVersion(epoch: number, seq: number): void {
  if (epoch > RECORD_EPOCH_MAX) throw fault(`epoch ${epoch}; allowed are 0 to ${RECORD_EPOCH_MAX}`);
  if (seq > RECORD_SEQ_MAX) throw fault(`seq ${seq}; allowed are 0 to ${RECORD_SEQ_MAX}`);
}

function fault(what: string): LarderError {
  return new LarderError('BAD_ARGUMENT', `what a node sent cannot be taken: ${what}`);
}

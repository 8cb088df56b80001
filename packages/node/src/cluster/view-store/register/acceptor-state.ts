import { LarderError } from '@larder/proto';
import { PackedReader, PackedWriter } from '../../packed-bytes.js';
import { NO_VIEW } from '../view-store.js';
import { type Ballot, NO_BALLOT } from './ballot.js';
import type { AcceptedView } from './voter-messages.js';

/** What a voter must never forget. The disk id is drawn when the file is made, and is the voter's identity. */
export interface AcceptorState {
  /** 128 random bits in hex. */
  readonly diskId: string;
  readonly promised: Ballot;
  readonly accepted: AcceptedView;
}

const MAGIC = 'LDRA';
const FORMAT = 1;
const INCARNATION_BYTES = 16;
/** A view of 1,024 members and partitions is far smaller. */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

export function newAcceptorState(diskId: string): AcceptorState {
  return { diskId, promised: NO_BALLOT, accepted: { ballot: NO_BALLOT, value: NO_VIEW } };
}

/** 'LDRA', format 8, disk id 128, promised ballot, accepted ballot, version 53, document, checksum 32. */
export function encodeAcceptorState(state: AcceptorState): Uint8Array {
  const writer = new PackedWriter();
  writer.bytes(Buffer.from(MAGIC));
  writer.uint8(FORMAT);
  writer.hex(state.diskId);
  writeBallot(writer, state.promised);
  writeBallot(writer, state.accepted.ballot);
  writer.uint53(state.accepted.value.version);
  writer.blob(state.accepted.value.document);
  return writer.finish();
}

/** Throws BAD_ARGUMENT if the file was cut, damaged, or is something else. */
export function decodeAcceptorState(bytes: Uint8Array): AcceptorState {
  const reader = new PackedReader(bytes, "a voter's file");
  if (reader.hex(4) !== Buffer.from(MAGIC).toString('hex')) throw reader.fault('it does not begin as one');
  const format = reader.uint8();
  if (format !== FORMAT) {
    throw new LarderError('INCOMPATIBLE', `a voter's file of format ${format}; this node reads format ${FORMAT}`);
  }
  const diskId = reader.hex(16);
  const promised = readBallot(reader);
  const ballot = readBallot(reader);
  const version = reader.uint53();
  const document = reader.blob(DOCUMENT_BYTES_MAX);
  reader.finish();
  return { diskId, promised, accepted: { ballot, value: { version, document } } };
}

function writeBallot(writer: PackedWriter, ballot: Ballot): void {
  writer.uint53(ballot.counter);
  writer.hex(ballot.incarnation.padEnd(2 * INCARNATION_BYTES, '0'));
}

function readBallot(reader: PackedReader): Ballot {
  const counter = reader.uint53();
  const incarnation = reader.hex(INCARNATION_BYTES);
  return counter === 0 ? NO_BALLOT : { counter, incarnation };
}

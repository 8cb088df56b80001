import { LarderError } from '@larder/proto';
import { PackedReader, PackedWriter } from '../../packed-bytes.js';
import { NO_VIEW } from '../view-store.js';
import { type Ballot, NO_BALLOT } from './ballot.js';
import type { AcceptedView } from './voter-messages.js';

/** What a voter must never forget. The disk id is drawn when the file is made, and is the voter's identity. */
export interface AcceptorState {
  /** 128 random bits in hex. */
  readonly diskId: string;
  readonly founding: FoundingState;
  readonly promised: Ballot;
  readonly accepted: AcceptedView;
}

/** How far the founding of the register is (founding.ts). A voter votes in the last phase only. */
export interface FoundingState {
  readonly phase: FoundingPhase;
  /** The disks of all voters, in their order; empty in the phase 'founding'. */
  readonly disks: readonly string[];
}

export type FoundingPhase = 'founding' | 'agreed' | 'voting';
const PHASES: readonly FoundingPhase[] = ['founding', 'agreed', 'voting'];

const MAGIC = 'LDRA';
const FORMAT = 1;
const INCARNATION_BYTES = 16;
const DISK_ID_BYTES = 16;
const VOTERS_MAX = 5;
/** A view of 1,024 members and partitions is far smaller. */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** A disk that has promised nothing. `founding`: default a voter that there is no other beside. */
export function newAcceptorState(
  diskId: string,
  founding: FoundingState = { phase: 'voting', disks: [diskId] },
): AcceptorState {
  return { diskId, founding, promised: NO_BALLOT, accepted: { ballot: NO_BALLOT, value: NO_VIEW } };
}

/** A disk that the other voters have not seen yet. */
export function unfoundedState(diskId: string): AcceptorState {
  return newAcceptorState(diskId, { phase: 'founding', disks: [] });
}

/** 'LDRA', format 8, disk id 128, phase 8, count 8 of disks of 128, promised ballot, accepted ballot, version 53, document, checksum 32. */
export function encodeAcceptorState(state: AcceptorState): Uint8Array {
  const writer = new PackedWriter();
  writer.bytes(Buffer.from(MAGIC));
  writer.uint8(FORMAT);
  writer.hex(state.diskId);
  writeFounding(writer, state.founding);
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
  const diskId = reader.hex(DISK_ID_BYTES);
  const founding = readFounding(reader);
  const promised = readBallot(reader);
  const ballot = readBallot(reader);
  const version = reader.uint53();
  const document = reader.blob(DOCUMENT_BYTES_MAX);
  reader.finish();
  return { diskId, founding, promised, accepted: { ballot, value: { version, document } } };
}

function writeFounding(writer: PackedWriter, { phase, disks }: FoundingState): void {
  writer.uint8(PHASES.indexOf(phase));
  writer.uint8(disks.length);
  for (const disk of disks) writer.hex(disk);
}

function readFounding(reader: PackedReader): FoundingState {
  const phase = PHASES[reader.uint8()];
  const count = reader.uint8();
  if (phase === undefined || count > VOTERS_MAX) throw reader.fault(`a founding of ${count} voters`);
  return { phase, disks: Array.from({ length: count }, () => reader.hex(DISK_ID_BYTES)) };
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

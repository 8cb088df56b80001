import { LarderError } from '@larder/proto';
import { KnownViews } from '../cluster/known-views.js';
import { DOCUMENT_BYTES_MAX, type FoundingPhase } from '../cluster/view-store/register/acceptor-state.js';
import { type Ballot, NO_BALLOT } from '../cluster/view-store/register/ballot.js';
import type { FoundingReport } from '../cluster/view-store/register/founding.js';
import type { VoterReply, VoterRequest } from '../cluster/view-store/register/voter-messages.js';
import type { StoredView } from '../cluster/view-store/view-store.js';

/**
 * VoteRequest and VoteResponse of larder/v1/peer.proto, as the generated codec has them, and what the register means by
 * them. Whatever comes from outside is checked here: a forged view that a voter took would stop the whole cluster.
 */

interface WireBallot {
  readonly counter: number;
  readonly incarnation: string;
}

export interface WireVoteRequest {
  readonly protocol: number;
  readonly voters: readonly string[];
  readonly voter: string;
  readonly kind: number;
  readonly round: number;
  readonly ballot: WireBallot | null;
  readonly version: number;
  readonly document: Uint8Array;
}

export interface WireVoteResponse {
  readonly outcome: number;
  readonly round: number;
  readonly disk: string;
  readonly promised: WireBallot | null;
  readonly accepted: WireBallot | null;
  readonly version: number;
  readonly document: Uint8Array;
  readonly phase: number;
  readonly disks: readonly string[];
}

const KINDS = { state: 1, prepare: 2, accept: 3 } as const;
const KIND_FOUNDING = 4;
const OUTCOMES = ['state', 'promised', 'accepted', 'refused'] as const;
const OUTCOME_FOUNDING = 5;
const PHASES: readonly FoundingPhase[] = ['founding', 'agreed', 'voting'];
const BITS_128 = /^[0-9a-f]{32}$/;
const NOTHING = Buffer.alloc(0);
/** Here documents are only checked; every voter sends the same ones. */
const checkedViews = new KnownViews();

/** Without the fields that name the voters. */
export function encodeVote(request: VoterRequest | 'founding'): Partial<WireVoteRequest> {
  if (request === 'founding') return { kind: KIND_FOUNDING };
  const { kind, round } = request;
  if (kind === 'state') return { kind: KINDS.state, round };
  if (kind === 'prepare') return { kind: KINDS.prepare, round, ballot: request.ballot };
  const { version, document } = request.value;
  return { kind: KINDS.accept, round, ballot: request.ballot, version, document: asBuffer(document) };
}

/** Throws BAD_ARGUMENT. */
export function decodeVote(wire: WireVoteRequest): VoterRequest | 'founding' {
  const { kind, round } = wire;
  checkNumber('round', round);
  switch (kind) {
    case KIND_FOUNDING:
      return 'founding';
    case KINDS.state:
      return { kind: 'state', round };
    case KINDS.prepare:
      return { kind: 'prepare', round, ballot: proposed(wire.ballot) };
    case KINDS.accept:
      return { kind: 'accept', round, ballot: proposed(wire.ballot), value: view(wire) };
    default:
      throw fault(`kind ${kind}; allowed are 1 to ${KIND_FOUNDING}`);
  }
}

export function encodeVoterReply(reply: VoterReply): Partial<WireVoteResponse> {
  const { kind, round, diskId, promised, accepted } = reply;
  const { version, document } = accepted.value;
  const outcome = OUTCOMES.indexOf(kind) + 1;
  return {
    ...{ outcome, round, disk: diskId, promised, accepted: accepted.ballot, version },
    document: asBuffer(document),
  };
}

export function encodeReport({ diskId, phase, disks }: FoundingReport): Partial<WireVoteResponse> {
  return { outcome: OUTCOME_FOUNDING, disk: diskId, phase: PHASES.indexOf(phase) + 1, disks };
}

/** Throws BAD_ARGUMENT. */
export function decodeVoterReply(wire: WireVoteResponse): VoterReply | FoundingReport {
  const { disk: diskId } = wire;
  checkDisk(diskId);
  if (wire.outcome === OUTCOME_FOUNDING) return report(wire);
  const kind = OUTCOMES[wire.outcome - 1];
  if (kind === undefined) throw fault(`outcome ${wire.outcome}; allowed are 1 to ${OUTCOME_FOUNDING}`);
  checkNumber('round', wire.round);
  const accepted = { ballot: ballotOf(wire.accepted), value: view(wire) };
  return { kind, round: wire.round, diskId, promised: ballotOf(wire.promised), accepted };
}

function report({ disk: diskId, phase: number, disks }: WireVoteResponse): FoundingReport {
  const phase = PHASES[number - 1];
  if (phase === undefined) throw fault(`phase ${number}; allowed are 1 to ${PHASES.length}`);
  for (const disk of disks) checkDisk(disk);
  return { diskId, phase, disks };
}

function view({ version, document }: Pick<WireVoteRequest, 'version' | 'document'>): StoredView {
  checkNumber('version', version);
  if (document.length > DOCUMENT_BYTES_MAX) {
    throw fault(`a document of ${document.length} bytes; allowed are ${DOCUMENT_BYTES_MAX}`);
  }
  if (version > 0) checkedViews.read(document);
  else if (document.length > 0) throw fault('a document of version 0');
  return { version, document };
}

function proposed(ballot: WireBallot | null): Ballot {
  const { counter, incarnation } = ballotOf(ballot);
  if (counter === 0) throw fault('no ballot');
  return { counter, incarnation };
}

function ballotOf(ballot: WireBallot | null): Ballot {
  if (ballot === null || ballot.counter === 0) return NO_BALLOT;
  checkNumber('ballot.counter', ballot.counter);
  if (!BITS_128.test(ballot.incarnation)) throw fault('ballot.incarnation is not 128 bits');
  return { counter: ballot.counter, incarnation: ballot.incarnation };
}

function checkDisk(disk: string): void {
  if (!BITS_128.test(disk)) throw fault('a disk that is not 128 bits');
}

function checkNumber(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw fault(`${name} is ${value}; allowed are 0 to 2^53 - 1`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes.length === 0 ? NOTHING : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fault(what: string): LarderError {
  return new LarderError('BAD_ARGUMENT', `a vote cannot be taken: ${what}`);
}

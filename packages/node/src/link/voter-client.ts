import type { ClientUnaryCall } from '@grpc/grpc-js';
import type { Clock } from '@larder/base';
import { type LarderError, PEER_PROTOCOL_VERSION, toLarderError } from '@larder/proto';
import type { FoundingReport } from '../cluster/view-store/register/founding.js';
import type { VoterReply, VoterRequest } from '../cluster/view-store/register/voter-messages.js';
import { LinkChannel } from './link-channel.js';
import { callPeer } from './unary-call.js';
import { decodeVoterReply, encodeVote, type WireVoteResponse } from './vote-codec.js';

/**
 * The way to the voters of the register: one channel each, apart from the links, so that the view can be reached when
 * nothing else can. A request that is not answered in time is lost, which is for the register to know.
 *
 * A connection may die without a word, and then every call on it ends at its deadline: after TIMEOUTS_MAX in a row the
 * channel is replaced.
 */

/** Unanswered requests to one voter; more are dropped. A register has a few at a time. */
const IN_FLIGHT_MAX = 64;
const TIMEOUTS_MAX = 3;

export interface NodeAddress {
  readonly id: string;
  /** host:port */
  readonly address: string;
}

export interface VoterClientOptions {
  readonly voters: readonly NodeAddress[];
  readonly clock: Clock;
  readonly callMs: number;
  readonly replied: (voter: number, reply: VoterReply) => void;
  readonly reported: (voter: number, report: FoundingReport) => void;
  readonly failed: (voter: number, error: LarderError) => void;
}

interface Lane {
  channel: LinkChannel | undefined;
  timeouts: number;
  readonly calls: Set<ClientUnaryCall>;
}

export class VoterClient {
  readonly #lanes: readonly Lane[];
  readonly #ids: readonly string[];
  #closed = false;

  constructor(readonly options: VoterClientOptions) {
    this.#ids = options.voters.map(({ id }) => id);
    this.#lanes = options.voters.map(() => ({ channel: undefined, timeouts: 0, calls: new Set() }));
  }

  send(voter: number, request: VoterRequest | 'founding'): void {
    const lane = this.#lanes[voter]!;
    if (this.#closed || lane.calls.size >= IN_FLIGHT_MAX) return;
    try {
      this.#call(voter, lane, request);
    } catch (error) {
      this.options.failed(voter, toLarderError(error));
    }
  }

  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes) this.#drop(lane);
  }

  #call(voter: number, lane: Lane, request: VoterRequest | 'founding'): void {
    const { voters, clock, callMs } = this.options;
    const { id, address } = voters[voter]!;
    lane.channel ??= new LinkChannel(address);
    const wire = { protocol: PEER_PROTOCOL_VERSION, voters: this.#ids, voter: id, ...encodeVote(request) };
    const deadlineMs = clock.wallMs() + callMs;
    const name = `voter ${id} at ${address}`;
    const call = callPeer<WireVoteResponse>(lane.channel.client, 'Vote', wire, deadlineMs, name, (error, response) => {
      if (!lane.calls.delete(call) || this.#closed) return;
      if (error === undefined) this.#answered(voter, lane, response!);
      else this.#unanswered(voter, lane, error);
    });
    lane.calls.add(call);
  }

  #answered(voter: number, lane: Lane, response: WireVoteResponse): void {
    lane.timeouts = 0;
    let reply: VoterReply | FoundingReport;
    try {
      reply = decodeVoterReply(response);
    } catch (error) {
      this.options.failed(voter, toLarderError(error));
      return;
    }
    if ('phase' in reply) this.options.reported(voter, reply);
    else this.options.replied(voter, reply);
  }

  #unanswered(voter: number, lane: Lane, error: LarderError): void {
    lane.timeouts = error.code === 'TIMEOUT' ? lane.timeouts + 1 : 0;
    if (lane.timeouts >= TIMEOUTS_MAX) this.#drop(lane);
    this.options.failed(voter, error);
  }

  #drop(lane: Lane): void {
    const calls = [...lane.calls];
    lane.calls.clear();
    lane.timeouts = 0;
    for (const call of calls) call.cancel();
    lane.channel?.close();
    lane.channel = undefined;
  }
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { sendUnaryData } from '@grpc/grpc-js';
import type { Clock, Random, Timer } from '@larder/base';
import { LarderError, PEER_PROTOCOL_VERSION, toLarderError } from '@larder/proto';
import { LAN_TIMERS } from '../cluster/timers.js';
import type { AcceptorDisk } from '../cluster/view-store/register/acceptor.js';
import { AcceptorFile, newDiskId } from '../cluster/view-store/register/acceptor-file.js';
import { type AcceptorState, unfoundedState } from '../cluster/view-store/register/acceptor-state.js';
import { MEMORY_DISK } from '../cluster/view-store/register/memory-disk.js';
import { RegisterStore } from '../cluster/view-store/register/register-store.js';
import { Voter } from '../cluster/view-store/register/voter.js';
import type { VoterRequest } from '../cluster/view-store/register/voter-messages.js';
import type { ViewStore } from '../cluster/view-store/view-store.js';
import type { Log } from '../log.js';
import { toStatus } from '../server/server-context.js';
import { RefusalFilter } from './refusal-filter.js';
import {
  decodeVote,
  encodeReport,
  encodeVoterReply,
  type WireVoteRequest,
  type WireVoteResponse,
} from './vote-codec.js';
import { type NodeAddress, VoterClient } from './voter-client.js';

/**
 * The view of the cluster in a register on its voters, as one node sees it: the store through which it reads and changes
 * the view, and its own voter, if it is one of them. The voter begins to vote in the background, as soon as the others
 * have been seen once (founding.ts); until then, and while a majority is away, calls of the store end at their deadline.
 */
export interface ViewStoreOptions {
  /** 1, 3 or 5, the same in the same order on all nodes. */
  readonly voters: readonly NodeAddress[];
  readonly selfId: string;
  /** Where a voter keeps its file, named `voter`. Default: in memory, and then it votes until its process ends. */
  readonly dataDir?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Deadline of one call of the store, and of one of a voter. Default 400. */
  readonly callMs?: number;
}

export interface OpenedViewStore {
  readonly store: ViewStore;
  readonly voters: readonly NodeAddress[];
  /** The handler of PeerService.Vote. */
  readonly vote: VoteHandler;
  /** Ends what is under way; nothing may be called any more. */
  close(): void;
}

export type VoteHandler = (
  call: { readonly request: WireVoteRequest },
  callback: sendUnaryData<Partial<WireVoteResponse>>,
) => void;

/** Throws CONFIG if the voters are no register, or if this node is the only one and its file cannot be used. */
export async function openViewStore(options: ViewStoreOptions): Promise<OpenedViewStore> {
  const { voters, selfId } = options;
  if (![1, 3, 5].includes(voters.length)) {
    throw new LarderError('CONFIG', `${voters.length} voters; allowed are 1, 3 or 5`);
  }
  const self = voters.findIndex(({ id }) => id === selfId);
  if (self < 0) return new ViewRegister(options, self, undefined);
  try {
    return new ViewRegister(options, self, await openDisk(options.dataDir));
  } catch (error) {
    if (voters.length === 1 || !(error instanceof LarderError)) throw error;
    // The other voters suffice, and this node serves without a voice.
    return new ViewRegister(options, self, error);
  }
}

/** Who is not through by then has to wait for somebody, and says so. */
const FOUNDING_MS_USUAL = 10_000;

interface OpenedDisk {
  readonly state: AcceptorState;
  readonly disk: AcceptorDisk;
}

async function openDisk(dataDir: string | undefined): Promise<OpenedDisk> {
  if (dataDir === undefined) return { state: unfoundedState(newDiskId()), disk: MEMORY_DISK };
  try {
    await mkdir(dataDir, { recursive: true });
    const disk = new AcceptorFile(join(dataDir, 'voter'));
    return { state: await disk.openFounding(), disk };
  } catch (cause) {
    if (cause instanceof LarderError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LarderError('CONFIG', `a voter's file cannot be kept in ${dataDir}: ${reason}`, { cause });
  }
}

class ViewRegister implements OpenedViewStore {
  readonly store: RegisterStore;
  readonly #client: VoterClient;
  readonly #voter: Voter | undefined;
  #refusal: LarderError | undefined;
  readonly #told = new RefusalFilter();
  #reminder: Timer | undefined;

  constructor(
    readonly options: ViewStoreOptions,
    readonly self: number,
    disk: OpenedDisk | LarderError | undefined,
  ) {
    const { voters, clock, random, callMs = LAN_TIMERS.storeCallMs } = options;
    this.#client = new VoterClient({
      ...{ voters, clock, callMs },
      replied: (voter, reply) => this.store.receive(voter, reply),
      reported: (voter, report) => this.#voter?.heard(voter, report),
      failed: (voter, error) => this.#failed(voters[voter]!, error),
    });
    this.store = new RegisterStore({
      ...{ voterCount: voters.length, incarnation: newDiskId(), clock, random, deadlineMs: callMs },
      send: (voter, request) => (voter === self ? this.#askSelf(request) : this.#client.send(voter, request)),
    });
    if (disk instanceof LarderError) this.#refuse(disk);
    else if (disk !== undefined) this.#voter = this.#startVoter(disk);
  }

  get voters(): readonly NodeAddress[] {
    return this.options.voters;
  }

  readonly vote: VoteHandler = ({ request }, callback) => {
    try {
      this.#check(request);
      const vote = decodeVote(request);
      const voter = this.#voter;
      if (voter === undefined) throw this.#refusal ?? this.#notAVoter();
      if (vote === 'founding') {
        callback(null, encodeReport(voter.report));
      } else {
        this.store.overhear(vote);
        voter.receive(vote, (reply) => callback(null, encodeVoterReply(reply)));
      }
    } catch (error) {
      callback(toStatus(toLarderError(error)));
    }
  };

  close(): void {
    this.#reminder?.cancel();
    this.#voter?.stop();
    this.#client.close();
  }

  #startVoter({ state, disk }: OpenedDisk): Voter {
    const { voters, clock, log, dataDir } = this.options;
    const names = voters.map(({ id }) => id);
    // Alone it waits for nobody.
    const level = names.length > 1 ? 'info' : 'debug';
    const voter = new Voter({
      ...{ self: this.self, names, state, disk, clock },
      ask: (other) => this.#client.send(other, 'founding'),
      voting: () => log[level]({ event: 'voting', voters: names, file: dataDir !== undefined }),
      refused: (error) => this.#refuse(error),
    });
    if (state.founding.phase !== 'voting') log[level]({ event: 'founding', voters: names, disk: state.diskId });
    voter.start();
    this.#reminder = clock.after(FOUNDING_MS_USUAL, () => {
      const { obstacle } = voter;
      if (obstacle?.code === 'UNAVAILABLE') log.warn({ event: 'founding-waits', reason: obstacle.message });
    });
    return voter;
  }

  /** In a later turn, as if it had gone through the network. */
  #askSelf(request: VoterRequest): void {
    queueMicrotask(() => {
      try {
        this.#voter?.receive(request, (reply) => queueMicrotask(() => this.store.receive(this.self, reply)));
      } catch (error) {
        // A voter that does not vote has said so in the log, and for the register it is one that is away.
        if (!(error instanceof LarderError)) throw error;
      }
    });
  }

  #check({ protocol, voters, voter }: WireVoteRequest): void {
    const { selfId, voters: own } = this.options;
    if (protocol !== PEER_PROTOCOL_VERSION) {
      throw incompatible(`the vote is of protocol ${protocol}; node ${selfId} speaks ${PEER_PROTOCOL_VERSION}`);
    }
    if (voter !== selfId) throw incompatible(`voter ${voter} is meant; this is node ${selfId}`);
    const [theirs, ours] = [voters.join(', '), own.map(({ id }) => id).join(', ')];
    if (theirs !== ours) {
      throw incompatible(`the voters of who asks are ${theirs}; those of node ${selfId} are ${ours}`);
    }
  }

  #refuse(error: LarderError): void {
    this.#refusal = error;
    this.options.log.error({ event: 'voter-refused', error: error.message });
  }

  #failed({ id, address }: NodeAddress, error: LarderError): void {
    if (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT' || !this.#told.isNew(id, error)) return;
    this.options.log.warn({ event: 'voter-failed', voter: id, address, error: error.message });
  }

  #notAVoter(): LarderError {
    return incompatible(`node ${this.options.selfId} is no voter`);
  }
}

function incompatible(what: string): LarderError {
  return new LarderError('INCOMPATIBLE', what);
}

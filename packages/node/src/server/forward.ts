import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '@larder/base';
import { cacheService, ERROR_CODES, type ErrorCode, LarderError, type Outcome, type ViewNode } from '@larder/proto';
import type { ByteBudget } from './byte-budget.js';
import { messageBytesMax } from './message-limit.js';
import type { UnaryRequest } from './unary.js';
import type { UnaryAnswer, UnaryResponse } from './unary-reply.js';

/**
 * Carries a unary call to the owner of its key, over one connection per peer. A call is forwarded once: it carries
 * FORWARDED_METADATA, and a node that gets it for a key that is not its own answers NOT_OWNER instead of passing it on.
 *
 * Whether a failed write may have been applied is known because the connection is awaited first: what fails before is
 * `not-applied`, what fails afterwards without an answer of the owner's is `unknown`.
 */
export const FORWARDED_METADATA = 'larder-forwarded';

export type UnaryMethod = 'Get' | 'Set' | 'Delete' | 'Expire';

/** The part of a unary call that is carried on. */
export interface ForwardedCall {
  readonly request: UnaryRequest;
  /** The caller gave up, or its connection did. */
  on(event: 'cancelled', listener: () => void): unknown;
}

/** Calls under way to other nodes; BUSY above. An answer is kept whole, so this bounds the memory of large ones too. */
const FORWARDS_MAX = 256;
/** To a peer that does not answer. A caller's deadline may be earlier. */
const CONNECT_TIMEOUT_MS = 1_000;

export class Forwarder {
  readonly #clients = new Map<string, Client>();
  #inFlight = 0;
  #closed = false;

  constructor(
    readonly clock: Clock,
    readonly budget: ByteBudget,
    readonly valueBytesMax: number,
  ) {}

  forward(method: UnaryMethod, owner: ViewNode, call: ForwardedCall, timeoutMs: number, answer: UnaryAnswer): void {
    const bytes = call.request.value?.length ?? 0;
    if (this.#inFlight >= FORWARDS_MAX) {
      throw new LarderError('BUSY', `more than ${FORWARDS_MAX} calls are being forwarded`, { outcome: 'not-applied' });
    }
    if (!this.budget.take(bytes)) throw this.budget.exhausted(bytes, 'not-applied');
    this.#inFlight++;
    const done: UnaryAnswer = (error, response) => {
      this.#inFlight--;
      this.budget.release(bytes);
      answer(error, response);
    };
    const deadlineMs = this.clock.wallMs() + timeoutMs;
    const client = this.#clientOf(owner);
    client.waitForReady(Math.min(deadlineMs, this.clock.wallMs() + CONNECT_TIMEOUT_MS), (fault) => {
      if (fault || this.#closed) done(unreachable(method, owner, fault));
      else this.#send(client, method, owner, call, deadlineMs, done);
    });
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #send(
    client: Client,
    method: UnaryMethod,
    owner: ViewNode,
    call: ForwardedCall,
    deadlineMs: number,
    done: UnaryAnswer,
  ): void {
    const definition = cacheService[method]!;
    const metadata = new Metadata();
    metadata.set(FORWARDED_METADATA, '1');
    const sent = client.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize as (bytes: Buffer) => UnaryResponse,
      call.request,
      metadata,
      { deadline: deadlineMs },
      (fault, response) => {
        if (fault) done(forwardedError(fault, method, owner));
        else done(undefined, response);
      },
    );
    call.on('cancelled', () => sent.cancel());
  }

  #clientOf(owner: ViewNode): Client {
    let client = this.#clients.get(owner.address);
    if (!client) {
      client = new Client(owner.address, credentials.createInsecure(), {
        'grpc.enable_channelz': 0,
        'grpc.enable_retries': 0,
        'grpc.max_receive_message_length': messageBytesMax(this.valueBytesMax),
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1_000,
      });
      this.#clients.set(owner.address, client);
    }
    return client;
  }
}

function unreachable(method: UnaryMethod, owner: ViewNode, cause: unknown): LarderError {
  return new LarderError('UNAVAILABLE', `node ${owner.id} at ${owner.address}, which owns the key, cannot be reached`, {
    outcome: method === 'Get' ? undefined : 'not-applied',
    node: owner.id,
    cause,
  });
}

/** What the owner said, in its own words; else what became of the connection to it. */
function forwardedError(fault: ServiceError, method: UnaryMethod, owner: ViewNode): LarderError {
  const code = fault.metadata.get('larder-code')[0] as ErrorCode | undefined;
  if (code !== undefined && ERROR_CODES.includes(code)) {
    const outcome = fault.metadata.get('larder-outcome')[0] as Outcome | undefined;
    const reason = fault.details.startsWith(`${code}: `) ? fault.details.slice(code.length + 2) : fault.details;
    return new LarderError(code, reason, { outcome, node: owner.id });
  }
  const late = fault.code === status.DEADLINE_EXCEEDED;
  return new LarderError(
    late ? 'TIMEOUT' : 'UNAVAILABLE',
    `node ${owner.id} at ${owner.address}, which owns the key, ${late ? 'did not answer in time' : `was lost: ${fault.details}`}`,
    { outcome: method === 'Get' ? undefined : 'unknown', node: owner.id, cause: fault },
  );
}

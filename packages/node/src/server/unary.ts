import type { ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import type { Clock } from '@larder/base';
import type { Reply } from '@larder/loader';
import { Acknowledgement, LarderError, toLarderError, type ViewNode } from '@larder/proto';
import { admitWrite, type NumberedWrite } from '../partitions/admit-write.js';
import { CommittedReply } from '../partitions/committed-reply.js';
import { type AdmittedOperation, admit, DEFAULT_TIMEOUT_MS } from './admission.js';
import type { ByteBudget } from './byte-budget.js';
import { FORWARDED_METADATA, type Forwarder, type UnaryMethod } from './forward.js';
import { tagsOf } from './operation-tags.js';
import { type ServerContext, toStatus } from './server-context.js';
import { type UnaryAnswer, UnaryReply, type UnaryResponse } from './unary-reply.js';

/**
 * Get, Set, Delete and Expire as calls of their own, for tools and simple clients: any node takes any key. The owner
 * serves it; another node forwards the call to the owner, once.
 *
 * The server takes them for calls with a stream of answers, of which each has one: on the wire that is the same, and
 * only a stream says when its answer has left. Without that a client that asks and does not read could fill the memory.
 */

/** GetRequest, SetRequest, DeleteRequest and ExpireRequest in one. */
export interface UnaryRequest {
  readonly cache: string;
  readonly key: Buffer;
  readonly value?: Buffer;
  readonly ttlMs?: number;
  /** A WriteMode. */
  readonly write?: number;
  readonly tags?: readonly string[];
  readonly ack?: number;
  readonly id?: WriteId | null;
}

interface WriteId {
  readonly clientId: number;
  readonly request: number;
  readonly retry: boolean;
  readonly lost: number;
  readonly settledBelow: number;
}

export type UnaryCall = ServerWritableStream<UnaryRequest, UnaryResponse>;
type Operate = (operation: AdmittedOperation, request: UnaryRequest, reply: Reply, timeoutMs: number) => void;

/** Local and forwarded calls that a node serves at a time; BUSY above. */
const CALLS_MAX = 4_096;
const NO_VALUE = Buffer.alloc(0);

const OPERATIONS: Readonly<Record<UnaryMethod, Operate>> = {
  Get: ({ cache, key }, _request, reply, timeoutMs) => cache.loader.get(key, reply, timeoutMs),
  Set: ({ cache, key, ttlMs }, { value = NO_VALUE, write, tags }, reply, timeoutMs) =>
    cache.loader.set(key, value, 0, value.length, ttlMs, reply, timeoutMs, write, tagsOf(tags)),
  Delete: ({ cache, key }, { write }, reply, timeoutMs) => cache.loader.delete(key, reply, timeoutMs, write),
  Expire: ({ cache, key, ttlMs }, _request, reply) => cache.loader.expire(key, ttlMs, reply),
};

export class Unary {
  #inFlight = 0;

  constructor(
    readonly context: ServerContext,
    readonly clock: Clock,
    readonly budget: ByteBudget,
    readonly forwarder: Forwarder,
  ) {}

  /** Calls whose answer has not left yet. */
  get inFlight(): number {
    return this.#inFlight;
  }

  readonly handlers = {
    Get: this.#handler('Get'),
    Set: this.#handler('Set'),
    Delete: this.#handler('Delete'),
    Expire: this.#handler('Expire'),
    GetView: (_call: unknown, callback: sendUnaryData<{ view: object }>): void => {
      const { view } = this.context;
      if (view === undefined) {
        callback(toStatus(this.context.partitions.refusal(0)), null);
        return;
      }
      const { version, nodes, owners, lost = [], cluster } = view;
      const isLost = lost.some((count) => count > 0);
      callback(null, { view: { version, nodes, owners: [...owners], lost: isLost ? [...lost] : [], cluster } });
    },
  };

  #handler(method: UnaryMethod) {
    return (call: UnaryCall): void => {
      this.#inFlight++;
      const answer = this.#answerTo(call);
      try {
        this.#serve(method, call, answer);
      } catch (error) {
        answer(toLarderError(error));
      }
    };
  }

  /** Large values count against the budget until the client has taken them. */
  #answerTo(call: UnaryCall): UnaryAnswer {
    let valueBytes = 0;
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      this.#inFlight--;
      this.budget.release(valueBytes);
    };
    call.on('cancelled', over);
    return (error, response = {}) => {
      if (isOver) return;
      const bytes = response.value?.length ?? 0;
      if (!error && this.budget.take(bytes)) {
        valueBytes = bytes;
        call.write(response, over);
        call.end();
      } else {
        over();
        this.context.endWithError(call, error ?? this.budget.exhausted(bytes));
      }
    };
  }

  #serve(method: UnaryMethod, call: UnaryCall, answer: UnaryAnswer): void {
    if (this.#inFlight > CALLS_MAX) {
      throw new LarderError('BUSY', `more than ${CALLS_MAX} unary calls are under way`, { outcome: 'not-applied' });
    }
    const { request } = call;
    const { cache, key, value = NO_VALUE, ttlMs } = request;
    const operation = admit(this.context, { cache, key, valueBytes: value.length, ttlMs });
    const timeoutMs = this.#timeoutMs(call);
    const owner = this.#otherOwner(operation, call);
    if (owner !== undefined) {
      this.forwarder.forward(method, owner, call, timeoutMs, answer);
      return;
    }
    const { partitions } = this.context;
    const { memory } = operation.cache;
    const { partition } = operation.key;
    const isWrite = method !== 'Get';
    const reply = new CommittedReply(partitions);
    reply.to(new UnaryReply(memory, answer), memory, partition, isWrite, request.ack === Acknowledgement.owner);
    const isSet = method === 'Set';
    if (isWrite && !admitWrite(partitions, operation.cache, partition, numbered(request.id), isSet, reply)) return;
    OPERATIONS[method](operation, request, reply, timeoutMs);
  }

  /** The node to forward to; undefined: this one serves the key. Throws NOT_OWNER or UNAVAILABLE. */
  #otherOwner({ key }: AdmittedOperation, call: UnaryCall): ViewNode | undefined {
    const { partitions, view, selfId } = this.context;
    partitions.beginTurn();
    if (partitions.serves(key.partition)) return undefined;
    const owner = view?.nodes[view.owners[key.partition]!];
    const wasForwarded = call.metadata.get(FORWARDED_METADATA).length > 0;
    if (owner === undefined || owner.id === selfId || wasForwarded) throw partitions.refusal(key.partition);
    return owner;
  }

  #timeoutMs(call: UnaryCall): number {
    const deadline = Number(call.getDeadline());
    if (!Number.isFinite(deadline)) return DEFAULT_TIMEOUT_MS;
    return Math.max(1, Math.ceil(deadline - this.clock.wallMs()));
  }
}

const UNNUMBERED: NumberedWrite = { clientId: 0, request: 0, settledBelow: 0, isRetry: false, lost: 0 };

function numbered(id: WriteId | null | undefined): NumberedWrite {
  return id ? { ...id, isRetry: id.retry } : UNNUMBERED;
}

import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Clock } from '@larder/base';
import { LarderError, toLarderError } from '@larder/proto';
import { type AdmittedOperation, admit, DEFAULT_TIMEOUT_MS } from './admission.js';
import type { Forwarder } from './forward.js';
import { FORWARDED_METADATA, type UnaryMethod } from './forward.js';
import { type ServerContext, toStatus } from './server-context.js';
import { UnaryReply, type UnaryResponse } from './unary-reply.js';

/**
 * Get, Set, Delete and Expire as calls of their own, for tools and simple clients: any node takes any key. The owner
 * serves it; another node forwards the call to the owner, once.
 */

/** GetRequest, SetRequest, DeleteRequest and ExpireRequest in one. */
export interface UnaryRequest {
  readonly cache: string;
  readonly key: Buffer;
  readonly value?: Buffer;
  readonly ttlMs?: number;
}

export type UnaryCall = ServerUnaryCall<UnaryRequest, UnaryResponse>;
type Operate = (operation: AdmittedOperation, request: UnaryRequest, reply: UnaryReply, timeoutMs: number) => void;

/** Local and forwarded calls that a node serves at a time; BUSY above. */
const CALLS_MAX = 4_096;
const NO_VALUE = Buffer.alloc(0);

const OPERATIONS: Readonly<Record<UnaryMethod, Operate>> = {
  Get: ({ cache, key }, _request, reply, timeoutMs) => cache.loader.get(key, reply, timeoutMs),
  Set: ({ cache, key, ttlMs }, { value = NO_VALUE }, reply, timeoutMs) =>
    cache.loader.set(key, value, 0, value.length, ttlMs, reply, timeoutMs),
  Delete: ({ cache, key }, _request, reply, timeoutMs) => cache.loader.delete(key, reply, timeoutMs),
  Expire: ({ cache, key, ttlMs }, _request, reply) => cache.loader.expire(key, ttlMs, reply),
};

export class Unary {
  #inFlight = 0;

  constructor(
    readonly context: ServerContext,
    readonly clock: Clock,
    readonly forwarder: Forwarder,
  ) {}

  /** Calls under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  readonly handlers = {
    Get: this.#handler('Get'),
    Set: this.#handler('Set'),
    Delete: this.#handler('Delete'),
    Expire: this.#handler('Expire'),
    GetView: (_call: unknown, callback: sendUnaryData<{ view: object }>): void => {
      const { version, nodes, owners } = this.context.view.client;
      callback(null, { view: { version, nodes, owners: [...owners] } });
    },
  };

  #handler(method: UnaryMethod) {
    return (call: UnaryCall, callback: sendUnaryData<UnaryResponse>): void => {
      this.#inFlight++;
      let answered = false;
      const answer = (error: LarderError | undefined, response?: UnaryResponse): void => {
        if (answered) return;
        answered = true;
        this.#inFlight--;
        if (error) callback(toStatus(error));
        else callback(null, response ?? {});
      };
      try {
        this.#serve(method, call, answer);
      } catch (error) {
        answer(toLarderError(error));
      }
    };
  }

  #serve(method: UnaryMethod, call: UnaryCall, answer: UnaryReply['answer']): void {
    if (this.#inFlight > CALLS_MAX) {
      throw new LarderError('BUSY', `more than ${CALLS_MAX} unary calls are under way`, { outcome: 'not-applied' });
    }
    const { request } = call;
    const { cache, key, value = NO_VALUE, ttlMs } = request;
    const operation = admit(this.context, { cache, key, valueBytes: value.length, ttlMs });
    const { view } = this.context;
    const { partition } = operation.key;
    const timeoutMs = this.#timeoutMs(call);
    if (view.owns(partition)) {
      OPERATIONS[method](operation, request, new UnaryReply(operation.cache.memory, answer), timeoutMs);
    } else if (call.metadata.get(FORWARDED_METADATA).length > 0) {
      throw view.notOwner(partition);
    } else {
      this.forwarder.forward(method, view.ownerOf(partition), call, timeoutMs, answer);
    }
  }

  #timeoutMs(call: UnaryCall): number {
    const deadline = Number(call.getDeadline());
    if (!Number.isFinite(deadline)) return DEFAULT_TIMEOUT_MS;
    return Math.max(1, Math.ceil(deadline - this.clock.wallMs()));
  }
}

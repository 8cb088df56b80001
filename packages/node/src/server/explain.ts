import type { Clock } from '@larder/base';
import { type KeySlice, keySlice, LarderError, toLarderError, type ViewNode } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import type { PartitionPlacement } from '../cluster/view-document.js';
import { AdminClient } from '../link/admin-client.js';
import { checkKey } from './operation-checks.js';
import type { ServerContext } from './server-context.js';

/** Explain of larder/v1/admin.proto: this node answers for keys that it serves, and asks the owner of all others. */

export interface ExplainRequest {
  readonly cache: string;
  readonly key: Buffer;
  readonly forwarded?: boolean;
}

export interface ExplainResponse {
  readonly nodeId: string;
  readonly partition: number;
  readonly owner: string;
  readonly successor: string;
  readonly unserved: string;
  readonly read: string;
  readonly write: string;
  readonly state: string;
  readonly epoch: number;
  readonly seq: number;
  readonly valueBytes: number;
  readonly ttlMs: number;
  readonly ageMs?: number | undefined;
  readonly ageFrom: string;
  readonly dirty: boolean;
  readonly unsure: boolean;
  readonly loading: boolean;
  readonly waiting: number;
  readonly lastLoad: OriginCall | null;
  readonly lastWrite: OriginCall | null;
  readonly missCause: string;
  readonly tags: number;
  readonly refusals: number;
}

export interface OriginCall {
  readonly agoMs: number;
  readonly tookMs: number;
  readonly outcome: string;
}

/** Calls that wait for an owner; BUSY above. */
const FORWARDED_MAX = 64;
/** Less than a command waits for its answer. */
const OWNER_TIMEOUT_MS = 2_000;

export class Explain {
  #forwarding = 0;

  constructor(
    readonly context: ServerContext,
    readonly clock: Clock,
    readonly placement: (partition: number) => PartitionPlacement | undefined,
  ) {}

  /** Rejects with UNKNOWN_CACHE, BAD_ARGUMENT or BUSY. */
  async answer(request: ExplainRequest): Promise<Partial<ExplainResponse>> {
    const { partitions, caches } = this.context;
    const cache = caches.named(request.cache);
    const fault = checkKey(request.key.length);
    if (fault !== undefined) throw fault;
    const key = keySlice(request.key);
    partitions.beginTurn();
    if (partitions.serves(key.partition)) return this.#explain(cache, key);
    const owner = this.#ownerOf(key.partition);
    const isOwn = owner === undefined || owner.id === this.context.selfId;
    if (isOwn || request.forwarded === true) return this.#unserved(cache, key, partitions.refusal(key.partition));
    return this.#askOwner(owner, request, cache, key);
  }

  #explain(cache: NodeCache, key: KeySlice): Partial<ExplainResponse> {
    const { remainingMs, age, isDirty, isUnsure, isLoading, lastLoad, lastWrite, ...facts } = cache.loader.explain(key);
    return {
      ...this.#place(cache, key),
      ...facts,
      ttlMs: Math.ceil(remainingMs),
      ageMs: age && Math.round(age.ageMs),
      ageFrom: age?.from ?? '',
      dirty: isDirty,
      unsure: isUnsure,
      loading: isLoading,
      lastLoad: lastLoad === undefined ? null : { ...lastLoad, agoMs: Math.round(lastLoad.agoMs) },
      lastWrite: lastWrite === undefined ? null : { ...lastWrite, agoMs: Math.round(lastWrite.agoMs) },
    };
  }

  #place({ loader }: NodeCache, { partition }: KeySlice): Partial<ExplainResponse> {
    const { owner = '', successor = '' } = this.placement(partition) ?? {};
    const { read, write } = loader.policy;
    return { nodeId: this.context.selfId, partition, owner, successor, read, write };
  }

  #unserved(cache: NodeCache, key: KeySlice, { message }: LarderError): Partial<ExplainResponse> {
    return { ...this.#place(cache, key), unserved: message };
  }

  #ownerOf(partition: number): ViewNode | undefined {
    const { view } = this.context;
    return view?.nodes[view.owners[partition]!];
  }

  async #askOwner(
    { address }: ViewNode,
    request: ExplainRequest,
    cache: NodeCache,
    key: KeySlice,
  ): Promise<Partial<ExplainResponse>> {
    if (this.#forwarding >= FORWARDED_MAX) {
      throw new LarderError('BUSY', `more than ${FORWARDED_MAX} explanations wait for other nodes`);
    }
    this.#forwarding++;
    const client = new AdminClient(address, this.clock, OWNER_TIMEOUT_MS);
    try {
      return await client.call<ExplainResponse>('Explain', { ...request, forwarded: true });
    } catch (error) {
      return this.#unserved(cache, key, toLarderError(error));
    } finally {
      client.close();
      this.#forwarding--;
    }
  }
}

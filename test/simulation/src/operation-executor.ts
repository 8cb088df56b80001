import { EntryFlag } from '@larder/loader';
import {
  invalidationRecord,
  type Member,
  packedKey,
  type ReplicatedRecord,
  type Replicator,
  type RequestId,
} from '@larder/node/internal';
import type { WriteStrategy } from './cluster.js';
import { HeldReplies } from './held-replies.js';
import type { Operation, Result } from './history.js';
import { OriginExecutor } from './origin-executor.js';
import { entriesOf, keyText } from './simulated-entries.js';
import type { SimulatedFence } from './simulated-fence.js';
import type { SimulatedNode } from './simulated-node.js';
import type { SimulatedProcess } from './simulated-process.js';

/**
 * What the loader and the session do in a real node: carries a client's operation out on a partition that this node
 * serves, at once, and answers when everything that it observed is committed.
 */
export interface Request {
  readonly partition: number;
  readonly key: string;
  readonly operation: Operation;
  readonly id: RequestId;
  /** It was sent before, when the partition had been lost so many times. */
  readonly retry: boolean;
  readonly lost: number;
  /** The view that the client knows. */
  readonly viewVersion: number;
  readonly strategy: WriteStrategy;
}

export type Answer =
  | { readonly kind: 'done'; readonly result: Result }
  /** Nothing was done; another try may succeed, maybe at another node. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nothing was done, and another try is of no use. */
  | { readonly kind: 'failed' }
  /** It may or may not have been done. */
  | { readonly kind: 'unknown' };

/** What the request log keeps of a call that changed nothing. */
const WITHOUT_WRITE = 0;

export const CACHES: Readonly<Record<WriteStrategy, number>> = { none: 1, behind: 2, through: 3, outside: 4 };

interface Effect {
  readonly value: string | undefined;
  readonly ttlMs: number;
  readonly result: number;
}

export class OperationExecutor {
  readonly #replies: HeldReplies;
  readonly #origin: OriginExecutor;

  constructor(
    readonly node: SimulatedNode,
    readonly member: Member,
    process: SimulatedProcess,
    fence: SimulatedFence,
  ) {
    this.#replies = new HeldReplies((partition, record) => {
      if (process === node.process) node.cluster.checkers.committed(partition, record);
    });
    this.#origin = new OriginExecutor(member, process, node.cluster.database, fence, this.#replies);
  }

  execute(request: Request, answer: (answer: Answer) => void): void {
    const { member } = this;
    if (member.view !== undefined && request.viewVersion > member.view.version) {
      member.readView();
      answer({ kind: 'refused', reason: 'older view' });
      return;
    }
    const replicator = member.beginTurn().serving(request.partition);
    if (replicator === undefined) {
      answer({ kind: 'refused', reason: member.obstacle(request.partition)! });
      return;
    }
    this.#expireOne(replicator, request.key);
    if (request.operation.kind === 'get') {
      this.#read(replicator, request, answer);
      return;
    }
    if (request.operation.kind === 'clear') {
      this.#clear(replicator, request, answer);
      return;
    }
    if (request.retry && request.lost !== member.view!.partitions[request.partition]!.lost) {
      answer({ kind: 'unknown' });
      return;
    }
    if (request.strategy === 'through') this.#origin.write(replicator, request, answer);
    else this.#write(replicator, request, answer);
  }

  /** A removal by the owner, for which nobody asked: the end of a life, or room that is needed. */
  remove(replicator: Replicator, record: ReplicatedRecord): void {
    const { cluster } = this.node;
    const { cache } = record;
    const key = packedKey(record);
    const name = keyText(key);
    const entries = entriesOf(replicator);
    const forgotten = entries.unsure.get(name);
    if (forgotten !== undefined) {
      // No other copy has it, and all have to remember that it is unsure.
      entries.entries.delete(name);
      entries.deleted.set(name, forgotten);
      return;
    }
    const call =
      cache === CACHES.through || cache === CACHES.outside
        ? undefined
        : cluster.history.begin(name, { kind: 'remove' }, this.node.name, cluster.world.now);
    const change = { cache, key, value: undefined, ttlMs: 0, flags: 0, request: undefined, result: 0 };
    const seq = this.#replies.apply(replicator, change);
    this.#replies.hold(
      replicator,
      seq,
      () => {
        if (call !== undefined) call.returnedMs = cluster.world.now;
      },
      () => {},
    );
  }

  #expireOne(replicator: Replicator, key: string): void {
    const entry = entriesOf(replicator).entries.get(key);
    if (entry === undefined || entry.dirty || entry.expiresMs > this.node.process.monotonicMs()) return;
    this.remove(replicator, entry.record);
  }

  #read(replicator: Replicator, request: Request, answer: (answer: Answer) => void): void {
    const entry = entriesOf(replicator).entries.get(request.key);
    if (entry === undefined && (request.strategy === 'through' || request.strategy === 'outside')) {
      this.#origin.load(replicator, request, answer);
      return;
    }
    const result = entriesOf(replicator).value(request.key);
    const { committedReads, missesWait } = this.member.rules;
    const seq = committedReads && (missesWait || entry !== undefined) ? observedSeq(replicator, request.key) : 0;
    this.#replies.hold(
      replicator,
      seq,
      () => answer({ kind: 'done', result }),
      () => answer({ kind: 'refused', reason: 'lost' }),
    );
  }

  /** Twice does no harm, so it has no request id. */
  #clear(replicator: Replicator, { strategy, partition }: Request, answer: (answer: Answer) => void): void {
    const { history, world, keys } = this.node.cluster;
    if (!replicator.hasRoom || replicator.copies < this.member.copiesMin) {
      answer({ kind: 'refused', reason: 'busy' });
      return;
    }
    this.#origin.invalidated(partition);
    const cleared = keys[partition]!.filter((key) => strategy === 'none' && key.strategy === 'none');
    const calls = cleared.map(({ name }) => history.begin(name, { kind: 'clear' }, this.node.name, world.now));
    const { epoch, nextSeq: seq } = replicator;
    const record = invalidationRecord({ epoch, seq, cache: CACHES[strategy], value: undefined });
    entriesOf(replicator).apply(record);
    if (this.member.rules.invalidationsTravel) this.#replies.submit(replicator, record);
    this.#replies.hold(
      replicator,
      replicator.nextSeq - 1,
      () => {
        for (const call of calls) call.returnedMs = world.now;
        answer({ kind: 'done', result: undefined });
      },
      () => answer({ kind: 'refused', reason: 'lost' }),
    );
  }

  #write(replicator: Replicator, request: Request, answer: (answer: Answer) => void): void {
    const { key, operation, id, strategy } = request;
    const replies = this.#replies;
    const before = replicator.applied(id);
    const state = entriesOf(replicator).value(key);
    const stateSeq = this.member.rules.repliesWait ? observedSeq(replicator, key) : 0;
    if (before === 'settled') {
      answer({ kind: 'unknown' });
      return;
    }
    if (before !== undefined && operation.kind === 'get-or-set' && before.result === WITHOUT_WRITE) {
      if (state === undefined) answer({ kind: 'unknown' });
      else replies.answerWhenCommitted(replicator, stateSeq, answer, { kind: 'done', result: state });
      return;
    }
    if (before !== undefined) {
      const result = resultOf(operation, before.result);
      replies.answerWhenCommitted(replicator, before.seq, answer, { kind: 'done', result });
      return;
    }
    const effect = effectOf(operation, state);
    if ('answer' in effect) {
      replicator.remember(id, WITHOUT_WRITE);
      replies.answerWhenCommitted(replicator, stateSeq, answer, { kind: 'done', result: effect.answer });
      return;
    }
    if (!replicator.hasRoom || replicator.copies < this.member.copiesMin) {
      answer({ kind: 'refused', reason: 'busy' });
      return;
    }
    const deleted = effect.value === undefined;
    const flags = strategy === 'behind' ? EntryFlag.dirty | (deleted ? EntryFlag.tombstone : 0) : 0;
    const value = effect.value === undefined ? undefined : Buffer.from(effect.value);
    const { ttlMs, result } = effect;
    const change = { cache: CACHES[strategy], key: Buffer.from(key), value, ttlMs, flags, request: id, result };
    const seq = replies.apply(replicator, change);
    replies.answerWhenCommitted(replicator, seq, answer, { kind: 'done', result: resultOf(operation, result) });
  }
}

/** What must be committed before anybody is told of the key's state. */
function observedSeq(replicator: Replicator, key: string): number {
  return entriesOf(replicator).entries.get(key)?.record.seq ?? replicator.lastRemovalSeq;
}

/** What the operation changes, or what it answers without changing anything. */
function effectOf(operation: Operation, state: string | undefined): Effect | { readonly answer: Result } {
  switch (operation.kind) {
    case 'set':
      return { value: operation.value, ttlMs: operation.ttlMs, result: 1 };
    case 'delete':
      return state === undefined ? { answer: false } : { value: undefined, ttlMs: 0, result: 1 };
    case 'compare-and-set':
      return state === operation.expected ? { value: operation.value, ttlMs: 0, result: 1 } : { answer: false };
    case 'increment': {
      const count = Number(state ?? 0) + 1;
      return { value: String(count), ttlMs: 0, result: count };
    }
    case 'get-or-set':
      return state === undefined ? { value: operation.value, ttlMs: 0, result: 1 } : { answer: state };
    case 'expire':
      return state === undefined ? { answer: false } : { value: state, ttlMs: operation.ttlMs, result: 1 };
    default:
      throw new Error(`no client asks for ${operation.kind}`);
  }
}

/** What the client was told, from the number that the request log keeps. */
export function resultOf(operation: Operation, logged: number): Result {
  if (operation.kind === 'increment') return logged;
  if (operation.kind === 'get-or-set') return operation.value;
  return logged === 1;
}

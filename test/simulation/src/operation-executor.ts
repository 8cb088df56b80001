import { EntryFlag } from '@larder/loader';
import type { CommitSink, Member, ReplicatedRecord, Replicator, RequestId } from '@larder/node/internal';
import type { Operation, Result } from './history.js';
import type { SimulatedEntries } from './simulated-entries.js';

/**
 * What the loader and the session do in a real node: carries a client's operation out on a partition that this node
 * serves, and answers when it may be answered.
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
  readonly writeBehind: boolean;
}

export type Answer =
  | { readonly kind: 'done'; readonly result: Result }
  /** Nothing was done; another try may succeed, maybe at another node. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It may or may not have been done. */
  | { readonly kind: 'unknown' };

const CACHE = 1;
export const WRITE_BEHIND_CACHE = 2;

/** What the request log keeps of a call that changed nothing. */
const WITHOUT_WRITE = 0;

interface Effect {
  readonly value: string | undefined;
  readonly ttlMs: number;
  readonly result: number;
}

export class OperationExecutor implements CommitSink {
  readonly #replies = new Map<number, { answer: (answer: Answer) => void; result: Result }>();
  #ticket = 0;

  constructor(readonly member: Member) {}

  execute(request: Request, answer: (answer: Answer) => void): void {
    const { member } = this;
    if (member.view !== undefined && request.viewVersion > member.view.version) {
      member.readView();
      answer({ kind: 'refused', reason: 'older view' });
      return;
    }
    const replicator = member.serving(request.partition);
    if (replicator === undefined) {
      answer({ kind: 'refused', reason: member.obstacle(request.partition)! });
      return;
    }
    if (request.operation.kind === 'get') {
      answer({ kind: 'done', result: entriesOf(replicator).value(request.key) });
      return;
    }
    if (request.retry && request.lost !== member.view!.partitions[request.partition]!.lost) {
      answer({ kind: 'unknown' });
      return;
    }
    this.#write(replicator, request, answer);
  }

  /** A delete that nobody asked for. */
  remove(replicator: Replicator, { cache, key }: ReplicatedRecord, done: (answer: Answer) => void): void {
    const change = { cache, key, value: undefined, ttlMs: 0, flags: 0, request: undefined, result: 0 };
    replicator.submit(change, this, this.#newTicket(done, undefined));
  }

  committed(ticket: number): void {
    const reply = this.#replies.get(ticket)!;
    this.#replies.delete(ticket);
    reply.answer({ kind: 'done', result: reply.result });
  }

  lost(ticket: number): void {
    const reply = this.#replies.get(ticket)!;
    this.#replies.delete(ticket);
    reply.answer({ kind: 'unknown' });
  }

  #write(replicator: Replicator, request: Request, answer: (answer: Answer) => void): void {
    const { key, operation, id, writeBehind } = request;
    const before = replicator.applied(id);
    if (before === 'settled') {
      answer({ kind: 'unknown' });
      return;
    }
    if (before !== undefined && operation.kind === 'get-or-set' && before.result === WITHOUT_WRITE) {
      const found = entriesOf(replicator).value(key);
      answer(found === undefined ? { kind: 'unknown' } : { kind: 'done', result: found });
      return;
    }
    if (before !== undefined) {
      replicator.observeRequest(before, this, this.#newTicket(answer, resultOf(operation, before.result)));
      return;
    }
    const ticket = this.#newTicket(answer, undefined);
    const cache = writeBehind ? WRITE_BEHIND_CACHE : CACHE;
    const keyBytes = Buffer.from(key);
    const pending = replicator.latest(cache, keyBytes);
    const state = pending === undefined ? entriesOf(replicator).value(key) : textOf(pending.record.value);
    const effect = effectOf(operation, state);
    if ('answer' in effect) {
      replicator.remember(id, WITHOUT_WRITE);
      if (pending === undefined || !this.member.rules.repliesWait) {
        this.#replies.delete(ticket);
        answer({ kind: 'done', result: effect.answer });
      } else {
        this.#replies.get(ticket)!.result = effect.answer;
        replicator.observe(pending, this, ticket);
      }
      return;
    }
    if (!replicator.hasRoom || replicator.copies < this.member.copiesMin) {
      this.#replies.delete(ticket);
      answer({ kind: 'refused', reason: 'busy' });
      return;
    }
    this.#replies.get(ticket)!.result = resultOf(operation, effect.result);
    const deleted = effect.value === undefined;
    const flags = writeBehind ? EntryFlag.dirty | (deleted ? EntryFlag.tombstone : 0) : 0;
    const value = effect.value === undefined ? undefined : Buffer.from(effect.value);
    const { ttlMs, result } = effect;
    replicator.submit({ cache, key: keyBytes, value, ttlMs, flags, request: id, result }, this, ticket);
  }

  #newTicket(answer: (answer: Answer) => void, result: Result): number {
    this.#replies.set(++this.#ticket, { answer, result });
    return this.#ticket;
  }
}

export function entriesOf(replicator: Replicator): SimulatedEntries {
  return replicator.entries as SimulatedEntries;
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
function resultOf(operation: Operation, logged: number): Result {
  if (operation.kind === 'increment') return logged;
  if (operation.kind === 'get-or-set') return operation.value;
  return logged === 1;
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.prototype.latin1Slice.call(value, 0, value.length);
}

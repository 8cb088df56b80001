import { type SessionResponseReader, TTL_NONE } from '@larder/proto';
import type { Codec } from './codecs/codec.js';
import type { AnswerReader, BulkFacts, Call } from './connection/call.js';

/** Where a value was found and what is known of it. */
export interface Entry<V> {
  readonly value: V;
  /** Grows with each write of the key; never reused. */
  readonly version: bigint;
  /** Milliseconds left; null if it never expires. */
  readonly ttl: number | null;
  /** Older than its ttl, served because the database is down. */
  readonly stale: boolean;
  /** The id of the node that answered. */
  readonly owner: string;
}

const EPOCH_SHIFT = 53n;

/** What a write reached. */
export class Written {
  constructor(
    private readonly epoch: number,
    private readonly seq: number,
    /** How many nodes hold it; 0 where it went to the database only (write-around). */
    readonly copies: number,
  ) {}

  /** Grows with each write of the key; never reused. */
  get version(): bigint {
    return versionOf(this.epoch, this.seq);
  }
}

export function versionOf(epoch: number, seq: number): bigint {
  return (BigInt(epoch) << EPOCH_SHIFT) | BigInt(seq);
}

/** GET: the value or undefined. */
export class ValueAnswer<V> implements AnswerReader<V | undefined> {
  constructor(private readonly codec: Codec<V>) {}

  read(reply: SessionResponseReader): V | undefined {
    return reply.hasValue ? this.codec.decode(reply.bytes, reply.valueStart, reply.valueEnd) : undefined;
  }

  readBulk(bytes: Buffer | undefined): V | undefined {
    return bytes && this.codec.decode(bytes, 0, bytes.length);
  }
}

/** A miss that the caller is to load. */
export class Lease {
  /** 0: what is loaded is not stored. */
  constructor(readonly number: number) {}
}

/** GET with a lease: the value, a Lease, or undefined for a miss of a cache that grants none. */
export class LeaseAnswer<V> implements AnswerReader<V | Lease | undefined> {
  /** `unclaimed`: of a lease that came when its caller had gone. */
  constructor(
    private readonly codec: Codec<V>,
    private readonly unclaimed: (key: string, lease: number) => void,
  ) {}

  discard(reply: SessionResponseReader, call: Call): void {
    if (reply.lease !== 0) this.unclaimed(call.key, reply.lease);
  }

  read(reply: SessionResponseReader): V | Lease | undefined {
    if (reply.hasValue) return this.codec.decode(reply.bytes, reply.valueStart, reply.valueEnd);
    return reply.lease === 0 ? undefined : new Lease(reply.lease);
  }

  /** A large value that has gone since the session spoke of it was perhaps invalidated, and Bulk grants no lease. */
  readBulk(bytes: Buffer | undefined): V | Lease {
    return bytes ? this.codec.decode(bytes, 0, bytes.length) : new Lease(0);
  }
}

/** ENTRY: an Entry or undefined. */
export class EntryAnswer<V> implements AnswerReader<Entry<V> | undefined> {
  constructor(private readonly codec: Codec<V>) {}

  read(reply: SessionResponseReader, call: Call): Entry<V> | undefined {
    if (!reply.hasValue) return undefined;
    return this.#entry(this.codec.decode(reply.bytes, reply.valueStart, reply.valueEnd), reply, call);
  }

  readBulk(bytes: Buffer | undefined, facts: BulkFacts, call: Call): Entry<V> | undefined {
    return bytes && this.#entry(this.codec.decode(bytes, 0, bytes.length), facts, call);
  }

  #entry(value: V, facts: BulkFacts, call: Call): Entry<V> {
    return {
      value,
      version: versionOf(facts.epoch, facts.seq),
      ttl: remainingLife(facts.ttlMs),
      stale: facts.stale,
      owner: call.node,
    };
  }
}

export const writtenAnswer: AnswerReader<Written> = {
  read: (reply) => new Written(reply.epoch, reply.seq, reply.copies),
  readBulk: (_bytes, facts) => new Written(facts.epoch, facts.seq, facts.copies),
};

export const foundAnswer: AnswerReader<boolean> = { read: (reply) => reply.found };

/** PEEK as a remaining life: ms, null if it never expires, undefined if there is no entry. */
export const ttlAnswer: AnswerReader<number | null | undefined> = {
  read: (reply) => {
    if (!reply.found) return undefined;
    return remainingLife(reply.ttlMs);
  },
};

function remainingLife(ttlMs: number): number | null {
  return ttlMs === TTL_NONE ? null : ttlMs;
}

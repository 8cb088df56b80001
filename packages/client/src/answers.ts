import type { SessionResponseReader } from '@larder/proto';
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

function versionOf(epoch: number, seq: number): bigint {
  return (BigInt(epoch) << EPOCH_SHIFT) | BigInt(seq);
}

/** GET: the value or undefined. */
export class ValueAnswer implements AnswerReader {
  constructor(private readonly codec: Codec<unknown>) {}

  read(reply: SessionResponseReader): unknown {
    return reply.hasValue ? this.codec.decode(reply.bytes, reply.valueStart, reply.valueEnd) : undefined;
  }

  readBulk(bytes: Buffer | undefined): unknown {
    return bytes && this.codec.decode(bytes, 0, bytes.length);
  }
}

/** ENTRY: an Entry or undefined. */
export class EntryAnswer implements AnswerReader {
  constructor(private readonly codec: Codec<unknown>) {}

  read(reply: SessionResponseReader, call: Call): Entry<unknown> | undefined {
    if (!reply.hasValue) return undefined;
    return this.#entry(this.codec.decode(reply.bytes, reply.valueStart, reply.valueEnd), reply, call);
  }

  readBulk(bytes: Buffer | undefined, facts: BulkFacts, call: Call): Entry<unknown> | undefined {
    return bytes && this.#entry(this.codec.decode(bytes, 0, bytes.length), facts, call);
  }

  #entry(value: unknown, facts: BulkFacts, call: Call): Entry<unknown> {
    return {
      value,
      version: versionOf(facts.epoch, facts.seq),
      ttl: facts.ttlMs < 0 ? null : facts.ttlMs,
      stale: facts.stale,
      owner: call.node,
    };
  }
}

export const writtenAnswer: AnswerReader = {
  read: (reply) => new Written(reply.epoch, reply.seq, reply.copies),
  readBulk: (_bytes, reply) => new Written(reply.epoch, reply.seq, reply.copies),
};

export const foundAnswer: AnswerReader = { read: (reply) => reply.found };

/** PEEK as a remaining life: ms, null if it never expires, undefined if there is no entry. */
export const ttlAnswer: AnswerReader = {
  read: (reply) => {
    if (!reply.found) return undefined;
    return reply.ttlMs < 0 ? null : reply.ttlMs;
  },
};

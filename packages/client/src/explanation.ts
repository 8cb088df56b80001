import { LarderError, partitionOf, toLarderError } from '@larder/proto';
import { versionOf } from './answers.js';
import { type CallOptions, wireTimeout } from './cache-options.js';
import type { Dispatcher } from './dispatcher.js';
import { encodeKey, type Key, keyScratch, keyText } from './keys.js';

/** What the owner of a key knows of it: why a value is old, why it is not there, where a write is. */
export interface Explanation {
  /** The ids of the node that answered, of the key's owner and of the node that has its copy. */
  readonly node: string;
  readonly owner: string;
  readonly successor: string | undefined;
  readonly partition: number;
  /** How the cache reads and writes. */
  readonly read: string;
  readonly write: string;
  /** Why the owner could not tell more, for example because it is away. Then nothing below is known. */
  readonly unserved: string | undefined;
  /** `negative`: known to have no row in the database. `deleted`: the delete is not in the database yet. `stale`: its life is over, and it is kept for when the database fails. `unknown`: see `unserved`. */
  readonly state: 'present' | 'absent' | 'negative' | 'deleted' | 'stale' | 'unknown';
  readonly version: bigint | undefined;
  readonly valueBytes: number;
  /** Milliseconds left; null if it never expires, undefined if there is no entry. */
  readonly ttl: number | null | undefined;
  /** In milliseconds, as far as it is known: since the database's last `load` or `write` of it, or at most so much by its `ttl`. */
  readonly age: { readonly ageMs: number; readonly from: 'load' | 'write' | 'ttl' } | undefined;
  readonly tags: number;
  /** Acknowledged, and not in the database yet. */
  readonly dirty: boolean;
  /** How often the database has refused what is dirty; 0: it has not. Otherwise it is a dead letter. */
  readonly refusals: number;
  /** A write to the database is under way. */
  readonly unsure: boolean;
  /** A load is under way, and so many gets wait for it. */
  readonly loading: boolean;
  readonly waiting: number;
  /** The last calls to the database for this key, if the owner still knows them. */
  readonly lastLoad: OriginCall | undefined;
  readonly lastWrite: OriginCall | undefined;
  /** Why it is absent; of what is there, why it was absent before. `cold`: never here, or too long ago to be remembered. */
  readonly missCause: 'cold' | 'expired' | 'evicted' | 'invalidated' | 'moved' | 'loadFailed' | undefined;
}

export interface OriginCall {
  /** Since it ended. */
  readonly agoMs: number;
  readonly tookMs: number;
  readonly outcome: 'found' | 'missing' | 'written' | 'deleted' | 'failed';
}

/** ExplainResponse of larder/v1/admin.proto. */
interface ExplainResponse extends Omit<Explanation, 'node' | 'version' | 'ttl' | 'age' | 'lastLoad' | 'lastWrite'> {
  readonly nodeId: string;
  readonly epoch: number;
  readonly seq: number;
  readonly ttlMs: number;
  readonly ageMs?: number;
  readonly ageFrom: 'load' | 'write' | 'ttl';
  /** The decoder's note that `ageMs` is there. */
  readonly _ageMs?: string;
  readonly lastLoad: OriginCall | null;
  readonly lastWrite: OriginCall | null;
}

/** Asks the owner; if it is away, the other nodes one after the other. */
export async function explain(
  dispatcher: Dispatcher,
  cache: string,
  key: Key,
  options: Pick<CallOptions, 'timeout'> | undefined,
): Promise<Explanation> {
  const { clock, timeoutMs: byDefaultMs } = dispatcher.options;
  const deadlineMs = clock.monotonicMs() + (wireTimeout(options) || byDefaultMs);
  const bytes = Buffer.from(keyScratch.subarray(0, encodeKey(keyText(key))));
  const { router } = dispatcher;
  const owner = router.owner(partitionOf(bytes, 0, bytes.length));
  const connections = [owner, ...router.connections.filter((connection) => connection !== owner)];
  let fault = new LarderError('TIMEOUT', 'no node has answered in time');
  for (const [index, connection] of connections.entries()) {
    const leftMs = deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) break;
    // A node that hangs must leave time for the next one.
    const waitMs = index === connections.length - 1 ? leftMs : leftMs / 2;
    try {
      return explanationOf(await connection.ask<ExplainResponse>('Explain', { cache, key: bytes }, waitMs));
    } catch (error) {
      fault = toLarderError(error);
      if (fault.code !== 'UNAVAILABLE' && fault.code !== 'TIMEOUT') throw fault;
    }
  }
  throw fault;
}

function explanationOf(response: ExplainResponse): Explanation {
  const { nodeId, epoch, seq, ttlMs, ageMs, ageFrom, lastLoad, lastWrite, _ageMs, ...same } = response;
  const isKnown = same.unserved === undefined || same.unserved === '';
  const isThere = isKnown && same.state !== 'absent';
  return {
    ...same,
    node: nodeId,
    successor: same.successor || undefined,
    unserved: isKnown ? undefined : same.unserved,
    state: isKnown ? same.state : 'unknown',
    missCause: isKnown ? same.missCause : undefined,
    version: isThere ? versionOf(epoch, seq) : undefined,
    ttl: isThere ? (ttlMs < 0 ? null : ttlMs) : undefined,
    age: ageMs === undefined ? undefined : { ageMs, from: ageFrom },
    lastLoad: lastLoad ?? undefined,
    lastWrite: lastWrite ?? undefined,
  };
}

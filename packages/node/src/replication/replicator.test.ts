import { ManualClock } from '@larder/base';
import { EntryFlag } from '@larder/loader';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_RULES } from '../cluster/protocol-rules.js';
import { MemoryEntries } from './memory-entries.js';
import type { PeerMessage, SyncChunk } from './messages.js';
import { type CommitSink, PENDING_RECORDS_MAX } from './pending-window.js';
import { type RequestId, recordOf } from './record.js';
import { Replica } from './replica.js';
import { Replicator, type ReplicatorHost } from './replicator.js';
import { RequestLog } from './request-log.js';
import { RequestTable } from './request-table.js';
import { SyncFlows } from './sync-flows.js';

/** Tells what became of each ticket. */
class Sink implements CommitSink {
  readonly told: string[] = [];
  committed(ticket: number, copies: number): void {
    this.told.push(`${ticket} on ${copies}`);
  }
  lost(ticket: number): void {
    this.told.push(`${ticket}: lost`);
  }
}

const B = { node: 'b', copy: 2 };
const C = { node: 'c', copy: 3 };

describe('replicator', () => {
  let clock: ManualClock;
  let serves: boolean;
  let sent: { node: string; message: PeerMessage }[];
  let host: ReplicatorHost;
  let entries: MemoryEntries;
  let replicator: Replicator;
  let sink: Sink;

  const write = (key: string, value: string | undefined, ticket = 0, request?: RequestId, flags = 0): number => {
    const bytes = value === undefined ? undefined : Buffer.from(value);
    const { epoch, nextSeq: seq } = replicator;
    const parts = { epoch, seq, cache: 1, key: Buffer.from(key), value: bytes, ttlMs: 0, flags, request, result: 1 };
    const record = recordOf(parts);
    if ((flags & EntryFlag.unsure) === 0) entries.apply(record);
    replicator.submit(record);
    replicator.observe(seq, sink, ticket);
    return seq;
  };
  const sentTo = (node: string): PeerMessage[] => {
    replicator.flush();
    const messages = sent.filter((item) => item.node === node).map((item) => item.message);
    sent = sent.filter((item) => item.node !== node);
    return messages;
  };
  const seqsSentTo = (node: string): number[] =>
    sentTo(node).flatMap((message) =>
      message.kind === 'replicate' ? message.runs.flatMap(({ records }) => records.map(({ seq }) => seq)) : [],
    );

  beforeEach(() => {
    clock = new ManualClock();
    serves = true;
    sent = [];
    host = {
      rules: ALL_RULES,
      copiesMin: 1,
      chunkEntries: 2,
      syncBytesLeft: 1_000_000,
      syncFlows: new SyncFlows(),
      pendingBudget: { bytes: 0 },
      send: (node, message) => sent.push({ node, message }),
      replicate: (node, run) => sent.push({ node, message: { kind: 'replicate', runs: [run] } }),
      nowMs: () => clock.monotonicMs(),
      serves: () => serves,
      wantsFlush: () => {},
      settled: () => {},
    };
    entries = new MemoryEntries();
    replicator = new Replicator(0, 5, 10, entries, new RequestLog(new RequestTable(1)), host);
    sink = new Sink();
  });

  /** Brings copy C up to date, as its node would. */
  const syncC = (): Replica => {
    const replica = new Replica(0, C.copy, new MemoryEntries(), new RequestLog(new RequestTable(1)));
    for (let round = 0; round < 10 && !replicator.caughtUp(C.copy); round++) deliverTo(replica);
    return replica;
  };
  const deliverTo = (replica: Replica): void => {
    for (const message of sentTo('c')) {
      if (message.kind === 'sync') {
        const answer = replica.sync(message);
        if (answer !== undefined) replicator.chunkAcknowledged(C.copy, answer.attempt, answer.chunk, answer.seq);
      }
      for (const run of message.kind === 'replicate' ? message.runs : []) {
        const answer = replica.replicate(run);
        if (answer !== undefined) replicator.acknowledged(C.copy, answer.attempt, answer.seq);
      }
    }
  };

  it('needs no records while it is alone, and its seqs go on as if there were', () => {
    replicator.configure(2, undefined, undefined, []);
    expect(replicator.isAlone).toBe(true);
    const { nextSeq } = replicator;
    replicator.advance();
    expect(replicator.committedSeq).toBe(nextSeq);
    expect(write('a', '1', 7)).toBe(nextSeq + 1);
    expect(sink.told).toContain('7 on 1');
    replicator.configure(3, B, undefined, []);
    expect(replicator.isAlone).toBe(false);
    expect(() => replicator.advance()).toThrow('without a record');
  });

  it('commits at once where one copy is enough', () => {
    expect(write('k', 'v', 1)).toBe(11);
    expect(sink.told).toEqual(['1 on 1']);
    expect(entries.text('k')).toBe('v');
  });

  it('commits nothing alone when it may not serve any more, and goes on when it may', () => {
    serves = false;
    write('k', 'v', 1);
    expect(sink.told).toEqual([]);
    serves = true;
    replicator.tick(400, 700);
    expect(sink.told).toEqual(['1 on 1']);
  });

  it('commits in order, when the successor has acknowledged, and tells nobody before', () => {
    replicator.configure(5, B, undefined, []);
    write('k', 'one', 1);
    write('k', 'two', 2);
    expect(seqsSentTo('b')).toEqual([11, 12]);
    expect(sink.told).toEqual([]);
    replicator.acknowledged(B.copy, -1, 11);
    expect(replicator.committedSeq).toBe(11);
    replicator.acknowledged(B.copy, -1, 12);
    expect(replicator.committedSeq).toBe(12);
    expect(sink.told).toEqual(['1 on 2', '2 on 2']);
  });

  it('does not make writes wait for a learner that is being filled, but sends them to it first', () => {
    replicator.configure(5, undefined, C, []);
    write('a', 'a1', 1);
    replicator.tick(400, 700);
    expect(sink.told).toEqual(['1 on 1']);
    replicator.flush();
    write('a', 'a2', 2);
    replicator.tick(400, 700);
    expect(sink.told).toEqual(['1 on 1']);
    replicator.flush();
    expect(sink.told).toEqual(['1 on 1', '2 on 1']);
    expect(seqsSentTo('c')).toEqual([12]);
  });

  it('believes no acknowledgement of what it has not sent, nor of a copy that it does not feed', () => {
    replicator.configure(5, B, undefined, []);
    write('k', 'v', 1);
    replicator.acknowledged(B.copy, -1, 999);
    replicator.acknowledged(77, -1, 11);
    expect(sink.told).toEqual([]);
  });

  it('waits for the successor of an open proposal as well', () => {
    replicator.configure(5, undefined, C, []);
    const { attempt } = syncC();
    replicator.configure(5, B, C, [C]);
    write('k', 'v', 1);
    replicator.acknowledged(B.copy, -1, 11);
    clock.advance(5_000);
    replicator.tick(400, 700);
    expect(sink.told).toEqual([]);
    replicator.acknowledged(C.copy, attempt, 11);
    expect(sink.told).toEqual(['1 on 3']);
  });

  it('takes no write on one copy where two are wanted', () => {
    host = { ...host, copiesMin: 2 };
    replicator = new Replicator(0, 5, 10, entries, new RequestLog(new RequestTable(1)), host);
    write('k', 'v', 1);
    expect(sink.told).toEqual([]);
    expect(replicator.copies).toBe(1);
  });

  it('sends again from the first record without an acknowledgement when the stream was opened anew', () => {
    replicator.configure(5, B, undefined, []);
    write('a', '1');
    write('b', '2');
    expect(seqsSentTo('b')).toEqual([11, 12]);
    replicator.acknowledged(B.copy, -1, 11);
    expect(seqsSentTo('b')).toEqual([]);
    replicator.rewind('b');
    expect(seqsSentTo('b')).toEqual([12]);
  });

  it('sends again what has been without an answer for too long', () => {
    replicator.configure(5, B, undefined, []);
    write('a', '1');
    expect(seqsSentTo('b')).toEqual([11]);
    clock.advance(401);
    replicator.tick(400, 700);
    expect(seqsSentTo('b')).toEqual([11]);
  });

  it('fills a learner while writes go on, and it ends with the same', () => {
    for (const key of ['a', 'b', 'c', 'd', 'e']) write(key, `${key}1`);
    replicator.configure(5, B, C, []);
    write('b', 'b2');
    write('c', undefined);
    const replica = new Replica(0, C.copy, new MemoryEntries(), new RequestLog(new RequestTable(1)));
    deliverTo(replica);
    replicator.acknowledged(B.copy, -1, 17);
    write('f', 'f1');
    deliverTo(replica);
    replicator.acknowledged(B.copy, -1, 18);
    for (let round = 0; round < 5; round++) deliverTo(replica);
    expect(replicator.caughtUp(C.copy)).toBe(true);
    expect([...(replica.entries as MemoryEntries).records.keys()].sort()).toEqual(['a', 'b', 'd', 'e', 'f']);
    expect((replica.entries as MemoryEntries).text('b')).toBe('b2');
  });

  it.each([true, false])('calls no learner complete that lacks what is still pending (rule: %s)', (pendingInSync) => {
    host = { ...host, rules: { ...ALL_RULES, pendingInSync } };
    replicator = new Replicator(0, 5, 10, entries, new RequestLog(new RequestTable(1)), host);
    write('a', 'a1');
    replicator.configure(5, B, C, []);
    write('a', undefined);
    const replica = new Replica(0, C.copy, new MemoryEntries(), new RequestLog(new RequestTable(1)));
    const [chunk] = sentTo('c') as [SyncChunk];
    expect(chunk.entries).toEqual([]);
    const answer = replica.sync(chunk)!;
    replicator.chunkAcknowledged(C.copy, answer.attempt, answer.chunk, answer.seq);
    expect(replicator.caughtUp(C.copy)).toBe(!pendingInSync);
    replicator.acknowledged(C.copy, chunk.attempt, 12);
    expect(replicator.caughtUp(C.copy)).toBe(true);
  });

  it('can begin a sync anew as often as a copy without room makes it', () => {
    replicator.configure(6, undefined, C, []);
    const replica = new Replica(0, C.copy, new MemoryEntries(), new RequestLog(new RequestTable(1)));
    for (let attempt = 0; attempt < 3_000; attempt++) {
      for (const message of sentTo('c')) if (message.kind === 'sync') replica.sync(message);
      replicator.rewind('c');
    }
    for (let round = 0; round < 10 && !replicator.caughtUp(C.copy); round++) deliverTo(replica);
    expect(replicator.caughtUp(C.copy)).toBe(true);
  });

  it('begins a sync anew, under a new attempt, when its stream broke', () => {
    write('a', 'a1');
    replicator.configure(5, undefined, C, []);
    const [first] = sentTo('c') as [SyncChunk];
    replicator.rewind('c');
    const [second] = sentTo('c') as [SyncChunk];
    expect(second.chunk).toBe(0);
    expect(second.attempt).toBeGreaterThan(first.attempt);
    replicator.chunkAcknowledged(C.copy, first.attempt, 0, 11);
    expect(replicator.caughtUp(C.copy)).toBe(false);
  });

  it('begins a sync anew when a chunk was lost, even while live records are acknowledged', () => {
    replicator.configure(5, B, C, []);
    const [lost] = sentTo('c') as [SyncChunk];
    for (let step = 1; step <= 5; step++) {
      write('k', `${step}`);
      replicator.flush();
      clock.advance(100);
      replicator.acknowledged(B.copy, -1, 10 + step);
      replicator.acknowledged(C.copy, lost.attempt, 10 + step);
      replicator.tick(400, 700);
    }
    const chunks = sentTo('c').filter((message) => message.kind === 'sync');
    expect(chunks.map(({ chunk }) => chunk)).toEqual([0]);
    expect(chunks[0]!.attempt).toBeGreaterThan(lost.attempt);
  });

  it('fills no learner while too much of other partitions is on the way to its node', () => {
    write('k', 'k1');
    replicator.configure(5, B, C, []);
    host.syncFlows.of('c').bytes = 2 * 1024 * 1024;
    expect(sentTo('c')).toEqual([]);
    host.syncFlows.recount([replicator]);
    expect(sentTo('c').map(({ kind }) => kind)).toContain('sync');
  });

  it('does not give up a chunk that waits behind those of other partitions', () => {
    replicator.configure(5, B, C, []);
    sentTo('c');
    for (let step = 0; step < 5; step++) {
      clock.advance(300);
      host.syncFlows.of('c').movedMs = clock.monotonicMs();
      replicator.tick(400, 700);
      expect(sentTo('c')).toEqual([]);
    }
    clock.advance(401);
    replicator.tick(400, 700);
    expect(sentTo('c').map(({ kind }) => kind)).toEqual(['sync']);
  });

  it('does not believe an acknowledgement from before the sync began anew', () => {
    write('k', 'k1');
    replicator.configure(5, B, C, []);
    const [first] = sentTo('c') as [SyncChunk];
    write('k', 'k2');
    replicator.flush();
    replicator.rewind('c');
    const again = sentTo('c')
      .filter((message) => message.kind === 'sync')
      .at(-1)!;
    replicator.acknowledged(C.copy, first.attempt, 12);
    replicator.chunkAcknowledged(C.copy, again.attempt, 0, 11);
    expect(replicator.caughtUp(C.copy)).toBe(false);
    replicator.acknowledged(C.copy, again.attempt, 12);
    expect(replicator.caughtUp(C.copy)).toBe(true);
  });

  it('lets a learner go that holds writes up', () => {
    replicator.configure(5, undefined, C, []);
    syncC();
    write('k', 'v', 1);
    expect(sink.told).toEqual([]);
    clock.advance(701);
    replicator.tick(400, 700);
    expect(sink.told).toEqual(['1 on 1']);
  });

  it('knows a request again, and tells its result when that is committed', () => {
    replicator.configure(5, B, undefined, []);
    const request = { client: 1, number: 4, settledBelow: 4 };
    write('k', 'v', 1, request);
    const logged = replicator.applied(request);
    expect(logged).toMatchObject({ seq: 11, result: 1 });
    if (logged !== undefined && logged !== 'settled') replicator.observeRequest(logged, sink, 2);
    expect(sink.told).toEqual([]);
    replicator.acknowledged(B.copy, -1, 11);
    expect(sink.told).toEqual(['1 on 2', '2 on 2']);
  });

  it('remembers a request that was answered without a write', () => {
    const request = { client: 1, number: 4, settledBelow: 4 };
    replicator.remember(request, 0);
    expect(replicator.applied(request)).toMatchObject({ result: 0 });
  });

  it('does not take a request for new that its client has settled', () => {
    write('k', 'v', 1, { client: 1, number: 4, settledBelow: 4 });
    write('k', 'w', 2, { client: 1, number: 5, settledBelow: 5 });
    expect(replicator.applied({ client: 1, number: 4, settledBelow: 4 })).toBe('settled');
    expect(replicator.applied({ client: 1, number: 6, settledBelow: 6 })).toBeUndefined();
  });

  it('has room for a bounded number of pending writes', () => {
    replicator.configure(5, B, undefined, []);
    for (let count = 0; count < PENDING_RECORDS_MAX; count++) write('k', 'v');
    expect(replicator.hasRoom).toBe(false);
    replicator.acknowledged(B.copy, -1, 11);
    expect(replicator.hasRoom).toBe(true);
  });

  it('says of every pending write, and to all who wait for it, that it was lost', () => {
    replicator.configure(5, B, undefined, []);
    write('k', 'v', 1);
    replicator.observe(11, sink, 2);
    replicator.observe(11, sink, 3);
    replicator.close();
    replicator.observe(11, sink, 4);
    expect(sink.told).toEqual(['1: lost', '2: lost', '3: lost', '4: lost']);
    expect(host.pendingBudget.bytes).toBe(0);
  });

  it('lets a sink write while it is told of a commit', () => {
    const again: CommitSink = {
      committed: (ticket) => {
        if (ticket === 14) return;
        const seq = write('k', `${ticket}`);
        replicator.observe(seq, again, seq);
      },
      lost: () => {},
    };
    replicator.observe(write('k', 'x'), again, 11);
    expect(replicator.committedSeq).toBe(14);
    expect(entries.text('k')).toBe('13');
  });

  it('tells who observes what is committed at once, and who finds nothing what to wait for', () => {
    replicator.configure(5, B, undefined, []);
    expect(replicator.lastRemovalSeq).toBe(10);
    replicator.observe(10, sink, 1);
    expect(sink.told).toEqual(['1 on 2']);
    write('a', 'a1');
    expect(replicator.lastRemovalSeq).toBe(10);
    write('a', undefined);
    expect(replicator.lastRemovalSeq).toBe(12);
    replicator.observe(12, sink, 2);
    replicator.acknowledged(B.copy, -1, 11);
    expect(sink.told).toEqual(['1 on 2', '0 on 2']);
    replicator.acknowledged(B.copy, -1, 12);
    expect(sink.told).toEqual(['1 on 2', '0 on 2', '0 on 2', '2 on 2']);
  });

  it('does not count what only followers forget as a removal', () => {
    write('a', 'a1');
    write('a', undefined, 0, undefined, EntryFlag.unsure);
    expect(replicator.lastRemovalSeq).toBe(10);
  });

  it('takes no record of another version than the next', () => {
    const { epoch, nextSeq } = replicator;
    const record = {
      cache: 1,
      key: Buffer.from('k'),
      value: undefined,
      ttlMs: 0,
      flags: 0,
      request: undefined,
      result: 0,
    };
    expect(() => replicator.submit(recordOf({ ...record, epoch, seq: nextSeq + 1 }))).toThrow('another version');
    expect(() => replicator.submit(recordOf({ ...record, epoch: epoch + 1, seq: nextSeq }))).toThrow('another version');
  });

  it('takes removals beyond the bound of pending writes', () => {
    replicator.configure(5, B, undefined, []);
    for (let count = 0; count < PENDING_RECORDS_MAX; count++) write('k', 'v');
    expect(replicator.hasRoom).toBe(false);
    for (let count = 0; count < 100; count++) write(`${count}`, undefined);
    replicator.acknowledged(B.copy, -1, 10 + PENDING_RECORDS_MAX + 100);
    expect(replicator.idle).toBe(true);
  });

  it('is not idle while something is pending, or holds it', () => {
    replicator.configure(5, B, undefined, []);
    expect(replicator.idle).toBe(true);
    replicator.hold();
    write('k', 'v');
    replicator.acknowledged(B.copy, -1, 11);
    expect(replicator.idle).toBe(false);
    replicator.release();
    expect(replicator.idle).toBe(true);
    expect(() => replicator.release()).toThrow('nothing held');
  });
});

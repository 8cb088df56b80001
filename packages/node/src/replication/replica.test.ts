import { describe, expect, it } from 'vitest';
import { MemoryEntries } from './memory-entries.js';
import type { RecordRun, SyncChunk } from './messages.js';
import { type ReplicatedRecord, recordOf } from './record.js';
import { Replica } from './replica.js';
import { RequestLog } from './request-log.js';
import { RequestTable } from './request-table.js';

const record = (seq: number, value: string): ReplicatedRecord =>
  recordOf({
    epoch: 1,
    seq,
    cache: 1,
    key: Buffer.from('k'),
    value: Buffer.from(value),
    ttlMs: 0,
    flags: 0,
    request: undefined,
    result: 0,
  });
const replicate = (...records: ReplicatedRecord[]): RecordRun => ({
  partition: 0,
  epoch: 1,
  copy: 2,
  records,
});
const chunk = (options: Partial<SyncChunk>): SyncChunk => ({
  kind: 'sync',
  partition: 0,
  epoch: 1,
  copy: 2,
  attempt: 1,
  chunk: 0,
  last: false,
  baseSeq: 3,
  entries: [],
  requests: [],
  ...options,
});

function newReplica(seqOrder = true): { replica: Replica; entries: MemoryEntries } {
  const entries = new MemoryEntries();
  return { replica: new Replica(0, 2, entries, new RequestLog(new RequestTable(1)), seqOrder), entries };
}

describe('replica', () => {
  it('takes nothing before a sync has begun', () => {
    expect(newReplica().replica.replicate(replicate(record(1, 'a')))).toBeUndefined();
  });

  it('takes no record while entries of an older copy are being taken away', () => {
    const { replica, entries } = newReplica();
    replica.continueFrom(0);
    entries.ready = false;
    expect(replica.replicate(replicate(record(1, 'a')))).toBeUndefined();
    expect(entries.count).toBe(0);
    entries.ready = true;
    expect(replica.replicate(replicate(record(1, 'a')))?.seq).toBe(1);
  });

  it('takes the next record, acknowledges old ones again, and ignores what follows a gap', () => {
    for (const seqOrder of [true, false]) {
      const { replica, entries } = newReplica(seqOrder);
      replica.continueFrom(3);
      expect(replica.replicate(replicate(record(4, 'a'), record(5, 'b')))?.seq).toBe(5);
      expect(replica.replicate(replicate(record(4, 'a')))?.seq).toBe(5);
      expect(entries.text('k')).toBe('b');
      expect(replica.replicate(replicate(record(7, 'd')))?.seq).toBe(seqOrder ? 5 : 7);
    }
  });

  it('forgets everything when a new attempt begins, and ignores the old one from then on', () => {
    const { replica, entries } = newReplica();
    replica.sync(chunk({ entries: [record(2, 'old')] }));
    replica.sync(chunk({ attempt: 2, baseSeq: 9 }));
    expect(entries.records.size).toBe(0);
    expect(replica.appliedSeq).toBe(9);
    expect(replica.sync(chunk({ chunk: 1, last: true }))).toBeUndefined();
    expect(replica.complete).toBe(false);
  });

  it('takes neither chunk nor record until what it had is gone', () => {
    const { replica, entries } = newReplica();
    replica.sync(chunk({ entries: [record(2, 'old')], last: true }));
    entries.ready = false;
    const anew = chunk({ attempt: 2, baseSeq: 9, entries: [record(8, 'new')] });
    expect(replica.sync(anew)).toBeUndefined();
    expect(replica.replicate(replicate(record(10, 'live')))).toBeUndefined();
    expect(entries.records.size).toBe(0);
    entries.ready = true;
    expect(replica.sync(anew)?.chunk).toBe(0);
    expect(replica.replicate(replicate(record(10, 'live')))?.seq).toBe(10);
  });

  it('acknowledges nothing that it has no room for', () => {
    const { replica, entries } = newReplica();
    replica.continueFrom(3);
    entries.full = true;
    expect(replica.replicate(replicate(record(4, 'a')))?.seq).toBe(3);
    expect(replica.sync(chunk({ attempt: 2, entries: [record(2, 'b')] }))).toBeUndefined();
    entries.full = false;
    expect(replica.replicate(replicate(record(4, 'a')))).toBeUndefined();
    expect(replica.sync(chunk({ attempt: 2, entries: [record(2, 'b')] }))).toBeUndefined();
    expect(replica.sync(chunk({ attempt: 3, entries: [record(2, 'b')] }))?.chunk).toBe(0);
  });

  it('is complete with the last chunk, but not if one is missing', () => {
    const { replica } = newReplica();
    replica.sync(chunk({}));
    expect(replica.sync(chunk({ chunk: 2, last: true }))).toBeUndefined();
    expect(replica.complete).toBe(false);
    replica.sync(chunk({ chunk: 1 }));
    expect(replica.sync(chunk({ chunk: 1 }))?.chunk).toBe(1);
    replica.sync(chunk({ chunk: 2, last: true }));
    expect(replica.complete).toBe(true);
  });
});

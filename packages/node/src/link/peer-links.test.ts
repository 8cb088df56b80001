import { ManualClock } from '@larder/base';
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerMessage } from '../replication/messages.js';
import { packedKey, packedValue, type ReplicatedRecord, recordOf } from '../replication/record.js';
import { incarnationOf, TestPeer } from './testing/test-peer.js';

// Two or more nodes over real gRPC. What is awaited is what came in.

const peers: TestPeer[] = [];
const start: typeof TestPeer.start = async (...options) => {
  const peer = await TestPeer.start(...options);
  peers.push(peer);
  return peer;
};
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.close();
});

const heartbeat = (monotonicMs: number): PeerMessage => ({
  kind: 'heartbeat',
  monotonicMs,
  wallMs: 0.5,
  unheard: [],
});
const record = (seq: number, value: Uint8Array | undefined = Buffer.from('value')): ReplicatedRecord =>
  recordOf({
    epoch: 2,
    seq,
    cache: 1,
    key: Buffer.from(`key ${seq}`),
    value,
    ttlMs: 5_000,
    flags: 1,
    request: { client: 2 ** 52 + 1, number: seq, settledBelow: 3 },
    result: -1.5,
  });
const replicate = (records: readonly ReplicatedRecord[]): PeerMessage => ({
  kind: 'replicate',
  runs: [{ partition: 7, epoch: 2, copy: 9, records }],
});
const pair = async (): Promise<[TestPeer, TestPeer]> => {
  const [one, two] = [await start('n1'), await start('n2')];
  await one.link(two);
  return [one, two];
};

describe('links between nodes', () => {
  it('carry every kind of message, with who sent it and under which view', async () => {
    const [one, two] = await pair();
    const place = { partition: 7, copy: 9 };
    const messages: PeerMessage[] = [
      { kind: 'heartbeat', monotonicMs: 1234.5678, wallMs: 1.7e12, unheard: [] },
      { kind: 'heartbeat', monotonicMs: 0, wallMs: 0, unheard: ['n2', 'n3'] },
      { kind: 'grant', monotonicMs: 1234.5678, wallMs: 1.7e12, unheard: [] },
      { kind: 'grant', monotonicMs: 1, wallMs: 2, unheard: ['n3', 'n4'] },
      replicate([record(1), record(2, undefined), { ...record(3, Buffer.alloc(0)), request: undefined }]),
      {
        kind: 'acknowledge',
        copies: [
          { ...place, attempt: -1, seq: 3 },
          { ...place, attempt: 2048, seq: 2 ** 41 },
        ],
      },
      {
        ...{ kind: 'sync', ...place, epoch: 2, attempt: 2048, chunk: 0, last: true, baseSeq: 4 },
        entries: [record(4)],
        requests: [{ client: 1, number: 2, settledBelow: 1, seq: 3, epoch: 1, result: 1 }],
      },
      { kind: 'sync-acknowledge', ...place, attempt: 2048, chunk: 0, seq: 4 },
      { kind: 'view', document: Buffer.from('a view') },
      { kind: 'clean', ...place, epoch: 2, cache: 1, key: Buffer.from('k'), version: { epoch: 1, seq: 5 } },
      { kind: 'probe' },
      { kind: 'probed' },
    ];
    for (const message of messages) one.send('n2', message, 12);
    await two.until(() => two.messages.length === messages.length);
    expect(two.messages.map(plain)).toEqual(messages.map(plain));
    const { cluster, node, incarnation, viewVersion } = two.envelopes[0]!;
    expect({ cluster, node, incarnation, viewVersion }).toEqual({
      ...{ cluster: '', node: 'n1', incarnation: incarnationOf('n1'), viewVersion: 12 },
    });
  });

  it('keep the order of records, across frames of different views', async () => {
    const [one, two] = await pair();
    for (let seq = 1; seq <= 3_000; seq++) one.send('n2', replicate([record(seq)]), 1 + Math.floor(seq / 1_000));
    await two.until(() => two.runs.length === 3_000);
    const seqs = two.runs.map(({ records }) => records[0]!.seq);
    expect(seqs).toEqual(Array.from({ length: 3_000 }, (_, index) => index + 1));
    expect(two.runs.map(({ viewVersion }) => viewVersion)).toEqual(seqs.map((seq) => 1 + Math.floor(seq / 1_000)));
  });

  it('carry a value that is larger than a frame', async () => {
    const [one, two] = await pair();
    const value = Buffer.alloc(8 * 1024 * 1024, 'large ');
    one.send('n2', heartbeat(1));
    one.send('n2', replicate([record(1), record(2, value), record(3)]));
    one.send('n2', replicate([record(4)]));
    await two.until(() => two.runs.length === 2);
    const runs = [[record(1), record(2, value), record(3)].map(plain), [record(4)].map(plain)];
    expect(two.runs.map(({ records }) => records.map(plain))).toEqual(runs);
    expect(two.messages[0]).toEqual(heartbeat(1));
  });

  it('let a heartbeat overtake what waits', async () => {
    const [one, two] = await pair();
    const value = Buffer.alloc(100_000, 'v');
    for (let seq = 1; seq <= 100; seq++) one.send('n2', replicate([record(seq, value)]));
    one.send('n2', heartbeat(1));
    await two.until(() => two.runs.length === 100);
    expect(two.messages.findIndex(({ kind }) => kind === 'heartbeat')).toBeLessThan(10);
  });

  it('let heartbeats pass between the parts of a value', async () => {
    const [one, two] = await pair();
    const value = Buffer.alloc(20 * 1024 * 1024, 'large ');
    one.send('n2', replicate([record(1, value)]));
    let beats = 0;
    while (!two.messages.some(({ kind }) => kind === 'replicate')) {
      one.send('n2', heartbeat(++beats));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Buffer.compare(packedValue(two.runs[0]!.records[0]!)!, value)).toBe(0);
    expect(two.messages.findIndex(({ kind }) => kind === 'heartbeat')).toBe(0);
    expect(one.openings).toEqual(['n2']);
  });

  it('drop what is sent while there is no stream', async () => {
    const [one, two] = await pair();
    one.send('n3', heartbeat(1));
    one.send('n2', heartbeat(2));
    await two.until(() => two.messages.length === 1);
    expect(two.messages).toEqual([heartbeat(2)]);
  });

  it('are opened anew when the other node was away, and say so', async () => {
    const [one, two] = await pair();
    await two.close();
    const again = await start('n2', { at: two.address, incarnation: incarnationOf('later n2') });
    await one.until(() => one.openings.length === 2);
    one.send('n2', heartbeat(3));
    await again.until(() => again.messages.length === 1);
    expect(again.messages).toEqual([heartbeat(3)]);
  });

  it('follow a node to another address', async () => {
    const [one, two] = await pair();
    const elsewhere = await start('n2', { incarnation: incarnationOf('later n2') });
    one.links.follow([one.member, elsewhere.member]);
    await one.until(() => one.openings.length === 2);
    one.send('n2', heartbeat(1));
    await elsewhere.until(() => elsewhere.messages.length === 1);
    expect(two.messages).toEqual([]);
  });

  it('are kept when the view lists the very process that has greeted', async () => {
    const [one, two] = [await start('n1'), await start('n2')];
    await one.link(two);
    one.links.follow([{ ...two.member, incarnation: incarnationOf('before n2') }]);
    await one.until(() => one.openings.length === 2);
    one.links.follow([two.member]);
    one.send('n2', heartbeat(1));
    await two.until(() => two.messages.length === 1);
    expect(one.openings).toEqual(['n2', 'n2']);
  });

  it('end when the node is no member any more', async () => {
    const [one, two] = await pair();
    one.links.follow([one.member]);
    expect(one.links.openCount).toBe(0);
    one.send('n2', heartbeat(1));
    one.links.follow([one.member, two.member]);
    await one.until(() => one.openings.length === 2);
    one.send('n2', heartbeat(2));
    await two.until(() => two.messages.length === 1);
    expect(two.messages).toEqual([heartbeat(2)]);
  });

  it('answer a node that is no member, for as long as it is heard', async () => {
    const clock = new ManualClock();
    const [member, guest] = [await start('n1', { clock }), await start('n4')];
    await guest.link(member);
    guest.send('n1', { kind: 'probe' }, 0);
    await member.until(() => member.openings.includes('n4'));
    member.send('n4', { kind: 'probed' });
    await guest.until(() => guest.messages.length === 1);
    clock.advance(11_000);
    expect(member.links.openCount).toBe(0);
  });

  it('make a guest that joins a member without a new stream', async () => {
    const [member, guest] = [await start('n1'), await start('n4')];
    await guest.link(member);
    guest.send('n1', { kind: 'probe' }, 0);
    await member.until(() => member.openings.includes('n4'));
    member.links.follow([member.member, guest.member]);
    member.send('n4', heartbeat(1));
    await guest.until(() => guest.messages.length === 1);
    expect(member.openings).toEqual(['n4']);
  });
});

describe('a link to a node that does not fit', () => {
  it('is refused when another node has its address', async () => {
    const [one, three] = [await start('n1'), await start('n3')];
    one.links.follow([{ ...three.member, id: 'n2' }]);
    await one.until(() => one.refusals.length === 1);
    expect(one.refusals[0]!.error.message).toBe(`INCOMPATIBLE: at ${three.address} is node n3, not node n2`);
    expect(one.openings).toEqual([]);
  });

  it('is refused when it belongs to another cluster, or was built for other partitions', async () => {
    const [one, two, three] = [await start('n1'), await start('n2'), await start('n3', { partitionCount: 16 })];
    one.cluster = 'a'.repeat(32);
    two.cluster = 'b'.repeat(32);
    one.links.follow([two.member, three.member]);
    await one.until(() => one.refusals.length === 2);
    expect(one.refusals.map(({ node, error }) => `${node}: ${error.message}`).sort()).toEqual([
      `n2: INCOMPATIBLE: it belongs to cluster ${two.cluster}, node n1 to ${one.cluster}`,
      'n3: INCOMPATIBLE: it has 16 partitions; node n1 was built for 1024',
    ]);
  });

  it('is refused by both when their caches differ, and is not when one has another at the end', async () => {
    const settings = (...caches: string[]) => ({ settings: { caches, copies: 2 } });
    const one = await start('n1', settings('a', 'b'));
    const two = await start('n2', settings('a', 'c'));
    const three = await start('n3', settings('a', 'b', 'new'));
    await Promise.all([one.link(three), three.link(one)]);
    for (const peer of [one, two]) peer.links.follow([one.member, two.member]);
    await Promise.all([one, two].map((peer) => peer.until(() => peer.refusals.length === 1)));
    const rule = 'all nodes list the same caches in the same order, and new ones at the end';
    expect(one.refusals[0]!.error.message).toBe(
      `INCOMPATIBLE: cache 2 of node n2 is "c", and of this node "b"; ${rule}`,
    );
    expect(two.refusals[0]!.error.message).toBe(
      `INCOMPATIBLE: cache 2 of node n1 is "b", and of this node "c"; ${rule}`,
    );
    expect(one.openings).toEqual(['n3']);
  });

  it('is not refused, and waits, while the node takes no part yet', async () => {
    let incarnation = '';
    const [one, two] = [await start('n1'), await start('n2', { identity: () => ({ incarnation, cluster: '' }) })];
    one.links.follow([two.member]);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    incarnation = two.incarnation;
    await one.until(() => one.openings.length === 1);
    expect(one.refusals).toEqual([]);
  });

  it('tells the sender why its messages were not taken', async () => {
    const [one, two] = await pair();
    two.cluster = 'b'.repeat(32);
    one.cluster = 'a'.repeat(32);
    one.send('n2', heartbeat(1));
    await one.until(() => one.refusals.length > 0);
    expect(one.refusals[0]!.error.message).toBe(
      `INCOMPATIBLE: it belongs to cluster ${one.cluster}, node n2 to ${two.cluster}`,
    );
    expect(two.messages).toEqual([]);
  });
});

describe('links that are closed', () => {
  it('leave nothing open, and take nothing any more', async () => {
    const clock = new ManualClock();
    const [one, two] = [await start('n1', { clock }), await start('n2')];
    await one.link(two);
    await two.link(one);
    await one.links.close();
    expect(one.links.openCount).toBe(0);
    expect(clock.pendingCount).toBe(0);
    one.links.follow([two.member]);
    one.send('n2', heartbeat(1));
    expect(one.links.openCount).toBe(0);
    expect(clock.pendingCount).toBe(0);
  });
});

describe('a link on which nothing comes back', () => {
  it('is given up when it is silent for four ticks, and opened anew', async () => {
    const clock = new ManualClock();
    const [one, two] = [await start('n1', { clock, silenceMs: 2_000 }), await start('n2')];
    await one.link(two);
    one.send('n2', heartbeat(1));
    // The answer lies in the socket: this process does not come to read it.
    clock.advance(2_000);
    expect(one.links.openCount).toBe(1);
    clock.advance(500);
    expect(one.links.openCount).toBe(0);
    clock.advance(1_000);
    await one.until(() => one.openings.length === 2);
  });

  it('is kept when nothing was said on it', async () => {
    const clock = new ManualClock();
    const [one, two] = [await start('n1', { clock, silenceMs: 2_000 }), await start('n2')];
    await one.link(two);
    clock.advance(60_000);
    expect(one.links.openCount).toBe(1);
  });

  it('is kept when the other side answers, however long it stands', async () => {
    const clock = new ManualClock();
    const [one, two] = [await start('n1', { clock, silenceMs: 2_000 }), await start('n2', { clock })];
    await one.link(two);
    await two.link(one);
    for (let beat = 1; beat <= 30; beat++) {
      one.send('n2', heartbeat(beat));
      await two.until(() => two.messages.length === beat);
      two.send('n1', heartbeat(beat));
      await one.until(() => one.messages.length === beat);
      // What came back before the heartbeat was read before it, or in the turn after.
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(200);
    }
    expect(one.openings).toEqual(['n2']);
  });

  it('is opened anew when too much waits for it', async () => {
    const [one, two] = [await start('n1', { unsentBytesMax: 1_000_000 }), await start('n2')];
    await one.link(two);
    const value = Buffer.alloc(400_000);
    for (let seq = 1; seq <= 3; seq++) one.send('n2', replicate([record(seq, value)]));
    expect(one.links.openCount).toBe(1);
    one.send('n2', replicate([record(4, value)]));
    expect(one.links.openCount).toBe(0);
    await one.until(() => one.openings.length === 2);
  });
});

/** Buffers and other arrays of bytes alike, and records wherever their key and value lie. */
function plain(value: unknown): unknown {
  if (isRecord(value)) {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd, ...rest } = value;
    return plain({ ...rest, key: packedKey(value), value: packedValue(value) });
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function isRecord(value: unknown): value is ReplicatedRecord {
  return value !== null && typeof value === 'object' && 'keyStart' in value;
}

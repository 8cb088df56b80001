import { Server, ServerCredentials } from '@grpc/grpc-js';
import { seededRandom, sleep, systemClock } from '@larder/base';
import { type LarderError, peerService } from '@larder/proto';
import { freePorts, watchForLeaks } from '@larder/test-kit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Member } from '../cluster/member.js';
import type { MemberHost } from '../cluster/member-options.js';
import { LAN_TIMERS } from '../cluster/timers.js';
import type { ViewDocument } from '../cluster/view-document.js';
import { MemoryEntries } from '../replication/memory-entries.js';
import type { Envelope } from '../replication/messages.js';
import { recordOf } from '../replication/record.js';
import { askCluster } from './ask-cluster.js';
import { type OpenedViewStore, openViewStore } from './open-view-store.js';
import { PeerLinks, type PeerLinksHost } from './peer-links.js';
import { peerHandlers } from './peer-service.js';
import { KeptLog } from './testing/kept-log.js';
import type { NodeAddress } from './voter-client.js';

const PARTITIONS = 128;
const SETTINGS = { caches: [], copies: 2 };

// The state machines of a cluster over real links and real voters: what the simulator does, with a real network.

class LinkedNode implements MemberHost, PeerLinksHost {
  readonly entries = new Map<number, MemoryEntries>();
  readonly refusals: string[] = [];
  readonly links: PeerLinks;
  readonly member: Member;
  readonly #server = new Server({ 'grpc.enable_channelz': 0 });
  #flushing = false;

  constructor(
    readonly self: NodeAddress,
    readonly view: OpenedViewStore,
    seed: number,
  ) {
    const { id, address } = self;
    const random = seededRandom(seed);
    const identity = () => ({ incarnation: this.member.self.incarnation, cluster: this.member.view?.cluster ?? '' });
    this.links = new PeerLinks(this, {
      settings: SETTINGS,
      selfId: id,
      address,
      identity,
      clock: systemClock,
      random,
      partitionCount: PARTITIONS,
    });
    this.member = new Member(
      {
        self: { id, address, zone: '', pool: '', weight: 1 },
        founding: { config: { copies: 2, copiesMin: 1, timers: LAN_TIMERS } },
        ...{ clock: systemClock, random, store: view.store, partitionCount: PARTITIONS },
      },
      this,
    );
  }

  static async start(self: NodeAddress, voters: readonly NodeAddress[], seed: number): Promise<LinkedNode> {
    const log = new KeptLog().asLog;
    const view = await openViewStore({ voters, selfId: self.id, clock: systemClock, random: seededRandom(seed), log });
    const node = new LinkedNode(self, view, seed);
    const describe = () => {
      const { cluster = '', version = 0, members = [] } = node.member.view ?? {};
      return { node: self.id, cluster, viewVersion: version, voters, members, ...SETTINGS };
    };
    node.#server.addService(peerService, peerHandlers({ links: node.links, viewStore: view, describe }));
    await new Promise<void>((resolve, reject) => {
      node.#server.bindAsync(self.address, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    return node;
  }

  /** Without a word to anybody. */
  async kill(): Promise<void> {
    this.member.stop();
    this.view.close();
    await this.links.close();
    this.#server.drain(this.self.address, 0);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  /** The count of copies that hold the write. */
  write(partition: number, key: string, value: string): Promise<number> | undefined {
    const replicator = this.member.serving(partition);
    if (replicator === undefined) return undefined;
    const { epoch, nextSeq: seq } = replicator;
    const bytes = { key: Buffer.from(key), value: Buffer.from(value) };
    const record = recordOf({ epoch, seq, cache: 0, ...bytes, ttlMs: 0, flags: 0, request: undefined, result: 0 });
    this.entries.get(partition)!.apply(record);
    replicator.submit(record);
    return new Promise((resolve, reject) => {
      const sink = {
        committed: (_: number, copies: number) => resolve(copies),
        lost: () => reject(new Error('the partition was lost')),
      };
      replicator.observe(seq, sink, 0);
      this.#flushSoon();
    });
  }

  send(node: string, envelope: Envelope): void {
    this.links.send(node, envelope);
  }

  createEntries(partition: number): MemoryEntries {
    const entries = new MemoryEntries();
    this.entries.set(partition, entries);
    return entries;
  }

  viewInstalled(view: ViewDocument): void {
    this.links.follow(view.members);
  }

  received(envelope: Envelope): void {
    this.member.receive(envelope);
    this.#flushSoon();
  }

  opened(node: string): void {
    this.member.linkOpened(node);
    this.#flushSoon();
  }

  refused(_: string, error: LarderError): void {
    this.refusals.push(error.message);
  }

  ownerChanged(): void {}
  evictableChanged(): void {}
  expelled(): void {}

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => {
      this.#flushing = false;
      this.member.flush();
    });
  }
}

const nodes: LinkedNode[] = [];
let leaks: ReturnType<typeof watchForLeaks>;
beforeAll(() => {
  leaks = watchForLeaks();
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.kill()));
});
afterAll(async () => {
  expect(await leaks.found()).toEqual([]);
});

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await sleep(systemClock, 10);
};
const isWhole = (node: LinkedNode, members: number): boolean => {
  const { view } = node.member;
  if (view === undefined || view.members.length !== members) return false;
  return view.partitions.every(({ owner, successor, learner }) => owner && successor && !learner);
};
const servedBy = (node: LinkedNode): number[] =>
  Array.from({ length: PARTITIONS }, (_, partition) => partition).filter((partition) => node.member.serves(partition));

it('three nodes become a cluster, a fourth joins it, and what is written survives one of them', {
  timeout: 120_000,
}, async () => {
  const addresses = (await freePorts(4)).map((port, index) => ({ id: `n${index + 1}`, address: `127.0.0.1:${port}` }));
  const voters = addresses.slice(0, 3);
  nodes.push(...(await Promise.all(voters.map((self, index) => LinkedNode.start(self, voters, index)))));
  await until(() => nodes.every((node) => isWhole(node, 3)));

  const log = new KeptLog().asLog;
  const options = { clock: systemClock, random: seededRandom(9), log, settings: SETTINGS, partitionCount: PARTITIONS };
  const described = await askCluster([addresses[1]!.address], options);
  expect(described.cluster).toBe(nodes[0]!.member.view!.cluster);
  nodes.push(await LinkedNode.start(addresses[3]!, described.voters, 9));
  await until(() => nodes.every((node) => isWhole(node, 4)) && servedBy(nodes[3]!).length > 20);

  const victim = nodes[2]!;
  const written: number[] = [];
  for (const partition of servedBy(victim)) {
    const copies = await victim.write(partition, 'key', `of ${partition}`);
    if (copies !== undefined && copies > 1) written.push(partition);
  }
  expect(written.length).toBeGreaterThan(10);
  nodes.splice(2, 1);
  const survivors = [...nodes];
  await victim.kill();
  await until(() => written.every((partition) => survivors.some((node) => node.member.serves(partition))));
  for (const partition of written) {
    const owner = survivors.find((node) => node.member.serves(partition))!;
    expect(owner.entries.get(partition)!.text('key')).toBe(`of ${partition}`);
  }
  expect(nodes.flatMap(({ refusals }) => refusals)).toEqual([]);
});

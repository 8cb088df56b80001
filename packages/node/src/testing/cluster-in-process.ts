import { ManualClock, seededRandom } from '@larder/base';
import { hashesOfTexts, Loader, type LoaderOptions, resolveCachePolicy } from '@larder/loader';
import { type KeySlice, keySlice, TTL_DEFAULT } from '@larder/proto';
import { Caches } from '../caches.js';
import { LAN_TIMERS } from '../cluster/timers.js';
import { MemoryViewStore } from '../cluster/view-store/memory-view-store.js';
import { Membership } from '../membership.js';
import { admitWrite } from '../partitions/admit-write.js';
import { CommittedReply } from '../partitions/committed-reply.js';
import { InvalidationRun } from '../partitions/invalidation-run.js';
import { PartitionMemory } from '../partitions/partition-memory.js';
import { createStorage } from '../storage/create-storage.js';
import type { Storage } from '../storage/storage.js';
import { SILENT } from './lone-node.js';
import { RecordedReply } from './recorded-reply.js';

type Policy = Parameters<typeof resolveCachePolicy>[0];

export interface TestNode {
  readonly id: string;
  readonly membership: Membership;
  readonly storage: Storage;
  readonly loader: Loader;
  readonly memory: PartitionMemory;
}

const MEBIBYTE = 1024 ** 2;

/** Nodes with one cache in this process: real members, storage and loaders, messages by hand, on a clock of the test. */
export class ClusterInProcess {
  readonly clock = new ManualClock();
  readonly nodes = new Map<string, TestNode>();
  readonly #store = new MemoryViewStore();
  /** From and to, as `a>b`: what is sent is lost. */
  readonly cuts = new Set<string>();

  constructor(
    readonly policy: Policy = { write: 'memory' },
    readonly origin: LoaderOptions['origin'] = undefined,
    readonly memoryBytesMax = 32 * MEBIBYTE,
  ) {}

  /** Resolves when the node takes part and every partition is where the plan wants it. */
  async start(...ids: string[]): Promise<void> {
    for (const id of ids) {
      const joining = this.#begin(id);
      await this.until(() => this.#member(id)?.listed === true);
      await joining;
    }
    await this.until(() => this.isSettled);
  }

  /** It ends without a word. */
  crash(id: string): void {
    this.node(id).membership.stop();
    this.nodes.delete(id);
  }

  close(): void {
    for (const id of [...this.nodes.keys()]) this.crash(id);
  }

  node(id: string): TestNode {
    return this.nodes.get(id)!;
  }

  /** The node that serves the key at this moment. */
  ownerOf(text: string): TestNode | undefined {
    const { partition } = slice(text);
    return [...this.nodes.values()].find(({ membership }) => membership.partitions.servesNow(partition));
  }

  otherThan(node: TestNode): TestNode {
    return [...this.nodes.values()].find(({ id }) => id !== node.id)!;
  }

  get isSettled(): boolean {
    const member = [...this.nodes.values()][0]?.membership.member;
    const served = member?.view?.partitions.every(({ owner }, partition) =>
      this.nodes.get(owner)?.membership.partitions.servesNow(partition),
    );
    if (member === undefined || served !== true) return false;
    const { misplaced, moving, waiting, underReplicated } = member.status().partitions;
    return misplaced + moving + waiting === 0 && (this.nodes.size < 2 || underReplicated === 0);
  }

  set(node: TestNode, text: string, value: string, ownerOnly = false, tags: string[] = []): RecordedReply {
    const bytes = Buffer.from(value);
    const hashes = tags.length === 0 ? undefined : hashesOfTexts(tags);
    return this.#answered(node, text, true, ownerOnly, (key, reply) =>
      node.loader.set(key, bytes, 0, bytes.length, TTL_DEFAULT, reply, 1_000, 0, hashes),
    );
  }

  /** The first or another try of write number `request` of one client. */
  setNumbered(node: TestNode, text: string, value: string, request: number, isRetry: boolean): RecordedReply {
    const bytes = Buffer.from(value);
    const { loader, memory } = node;
    const write = { clientId: 7, request, settledBelow: 0, isRetry, lost: 0 };
    return this.#answered(node, text, true, false, (key, reply) => {
      const cache = { id: 0, name: 'things', loader, memory };
      if (!admitWrite(node.membership.partitions, cache, key.partition, write, true, reply)) return;
      loader.set(key, bytes, 0, bytes.length, TTL_DEFAULT, reply, 1_000);
    });
  }

  get(node: TestNode, text: string): RecordedReply {
    return this.#answered(node, text, false, false, (key, reply) => node.loader.get(key, reply, 1_000));
  }

  delete(node: TestNode, text: string): RecordedReply {
    return this.#answered(node, text, true, false, (key, reply) => node.loader.delete(key, reply, 1_000));
  }

  /** Where it is done, once it is; undefined until then. Without tags everything is forgotten. */
  invalidate(node: TestNode, ...tags: string[]): { done: number | undefined } {
    const { loader, memory } = node;
    const outcome: { done: number | undefined } = { done: undefined };
    const ended = (_count: number, done: Uint8Array): void => {
      outcome.done = done.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
    };
    const hashes = tags.length === 0 ? undefined : hashesOfTexts(tags);
    const cache = { id: 0, name: 'things', loader, memory };
    InvalidationRun.start({ count: 0 }, node.membership.partitions, cache, hashes, undefined, false, ended);
    return outcome;
  }

  /** What the node's storage holds of the key, whoever owns it. */
  stored(node: TestNode, text: string): string | undefined {
    const ref = node.storage.peek(0, slice(text));
    if (ref === 0) return undefined;
    const value = Buffer.alloc(node.storage.valueBytes(ref));
    node.storage.copyValue(ref, 0, value.length, value, 0);
    return value.toString();
  }

  /** Lets messages arrive and time pass, 10 ms at a time, until it holds. */
  async until(holds: () => boolean, limitMs = 60_000): Promise<void> {
    for (let ms = 0; !holds(); ms += 10) {
      if (ms > limitMs) throw new Error(`it did not come to be within ${limitMs} ms`);
      await this.pass(10);
    }
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      this.clock.advance(10);
      for (const { membership } of this.nodes.values()) if (membership.member) membership.maintain(1);
      await turn();
      await turn();
    }
  }

  async #begin(id: string): Promise<void> {
    const { clock, memoryBytesMax, origin } = this;
    const membership = new Membership(id, () => {});
    const caches = [{ cache: 0, memoryBytesMax, eviction: 'lru' as const }];
    const options = { memoryBytesMax: memoryBytesMax + 4 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches, owned: false };
    const storage = createStorage(options, clock, seededRandom(1), membership.removals.noted);
    membership.removals.storage = storage;
    const memory = new PartitionMemory(0, storage, membership.partitions, membership.removals);
    const policy = resolveCachePolicy(this.policy, 'caches.things');
    const loader = new Loader({ name: 'things', policy, memory, origin, clock, random: seededRandom(2) });
    const node = { id, membership, storage, loader, memory };
    const isFounder = this.nodes.size === 0;
    this.nodes.set(id, node);
    await membership.join({
      self: { id, address: `${id}:1`, zone: '', pool: '', weight: 1 },
      founding: isFounder ? { config: { copies: 2, copiesMin: 1, timers: LAN_TIMERS }, voters: 1 } : undefined,
      store: this.#store,
      storage,
      caches: new Caches([{ id: 0, name: 'things', loader, memory }]),
      clock,
      random: seededRandom(id.charCodeAt(id.length - 1)),
      log: SILENT,
      send: (to, envelope) => {
        queueMicrotask(() => {
          if (!this.cuts.has(`${id}>${to}`) && this.nodes.get(id) === node) {
            this.nodes.get(to)?.membership.received(envelope);
          }
        });
      },
      takenOver: () => {},
      viewInstalled: () => {},
    });
  }

  #member(id: string) {
    return this.nodes.get(id)?.membership.member;
  }

  #answered(
    node: TestNode,
    text: string,
    isWrite: boolean,
    ownerOnly: boolean,
    call: (key: KeySlice, reply: CommittedReply) => void,
  ): RecordedReply {
    const key = slice(text);
    const reply = new RecordedReply(node.memory);
    const { partitions } = node.membership;
    partitions.beginTurn();
    if (partitions.serves(key.partition)) {
      call(key, new CommittedReply(partitions).to(reply, node.memory, key.partition, isWrite, ownerOnly));
    } else {
      reply.failed(partitions.refusal(key.partition));
    }
    return reply;
  }
}

function slice(text: string): KeySlice {
  return keySlice(Buffer.from(text));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

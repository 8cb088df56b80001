import { systemClock, systemRandom } from '@larder/base';
import {
  createOrigin,
  type EntryMemory,
  type EntryRef,
  Loader,
  type LoaderStatistics,
  PostgresDatabase,
  PutResult,
  type Reply,
  resolveCachePolicy,
  resolvePostgresDatabaseOptions,
} from '@larder/loader';
import { createStorage, type Storage } from '@larder/node/internal';
import { type KeySlice, keySlice, type LarderError, TTL_DEFAULT } from '@larder/proto';
import { TABLE } from './things-table.js';

/**
 * The loader over a node's storage in this very process: what client, frames and gRPC cost is the difference to the
 * whole path.
 */
export class LoaderAlone {
  static async open(url: string, policy: object): Promise<LoaderAlone> {
    const database = new PostgresDatabase(resolvePostgresDatabaseOptions({ url }));
    const resolved = resolveCachePolicy({ origin: { postgresTable: { table: TABLE, key: 'id' } }, ...policy }, 'bench');
    const origin = await createOrigin(resolved, new Map([['bench', database]]), 'bench');
    const { memoryBytesMax, eviction } = resolved;
    const caches = [{ cache: 0, memoryBytesMax, eviction }];
    const storage = createStorage(
      { memoryBytesMax: 2 * memoryBytesMax, valueBytesMax: 2 ** 20, caches },
      systemClock,
      systemRandom,
    );
    const memory = new StorageMemory(storage);
    const loader = new Loader({
      name: 'bench',
      policy: resolved,
      memory,
      origin,
      clock: systemClock,
      random: systemRandom,
    });
    const sweeping = setInterval(() => storage.sweep(1), 100);
    return new LoaderAlone(loader, memory, database, sweeping);
  }

  private constructor(
    private readonly loader: Loader,
    private readonly memory: StorageMemory,
    private readonly database: PostgresDatabase,
    private readonly sweeping: NodeJS.Timeout,
  ) {}

  get<V>(id: number): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      const reply = new PromiseReply(this.memory, (value) => resolve(value as V | undefined), reject);
      this.loader.get(keyOf(id), reply, TIMEOUT_MS);
    });
  }

  set(id: number, value: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(value));
    return new Promise((resolve, reject) => {
      const reply = new PromiseReply(this.memory, () => resolve(), reject);
      this.loader.set(keyOf(id), bytes, 0, bytes.length, TTL_DEFAULT, reply, TIMEOUT_MS);
    });
  }

  drain(): Promise<number> {
    return this.loader.drain(TIMEOUT_MS);
  }

  statistics(): LoaderStatistics {
    return this.loader.statistics();
  }

  close(): Promise<void> {
    clearInterval(this.sweeping);
    this.loader.close();
    return this.database.close();
  }
}

const TIMEOUT_MS = 60_000;

function keyOf(id: number): KeySlice {
  return keySlice(Buffer.from(String(id)));
}

class PromiseReply implements Reply {
  constructor(
    private readonly memory: EntryMemory,
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: LarderError) => void,
  ) {}

  entry(ref: EntryRef): void {
    const bytes = Buffer.allocUnsafe(this.memory.valueBytes(ref));
    this.memory.copyValue(ref, 0, bytes.length, bytes, 0);
    this.resolve(JSON.parse(bytes.toString()));
  }

  value(bytes: Uint8Array): void {
    this.resolve(JSON.parse(Buffer.from(bytes).toString()));
  }

  miss(): void {
    this.resolve(undefined);
  }

  written(): void {
    this.resolve(undefined);
  }

  found(): void {
    this.resolve(undefined);
  }

  failed(error: LarderError): void {
    this.reject(error);
  }

  later(): Reply {
    return this;
  }
}

/** One cache of a storage, with a version for each write. */
class StorageMemory implements EntryMemory {
  readonly putEpoch = 1;
  putSeq = 0;

  constructor(private readonly storage: Storage) {}

  find(key: KeySlice): EntryRef {
    return this.storage.find(0, key);
  }

  peek(key: KeySlice): EntryRef {
    return this.storage.peek(0, key);
  }

  flags(ref: EntryRef): number {
    return this.storage.flags(ref);
  }

  valueBytes(ref: EntryRef): number {
    return this.storage.valueBytes(ref);
  }

  copyValue(ref: EntryRef, from: number, to: number, target: Uint8Array, at: number): void {
    this.storage.copyValue(ref, from, to, target, at);
  }

  epoch(ref: EntryRef): number {
    return this.storage.epoch(ref);
  }

  seq(ref: EntryRef): number {
    return this.storage.seq(ref);
  }

  remainingMs(ref: EntryRef): number {
    return this.storage.remainingMs(ref);
  }

  put(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, flags: number): PutResult {
    const result = this.storage.put(0, key, value, start, end, 1, this.putSeq + 1, ttlMs, flags);
    if (result === PutResult.stored) this.putSeq++;
    return result;
  }

  remove(key: KeySlice): boolean {
    return this.storage.remove(0, key);
  }

  expire(key: KeySlice, ttlMs: number): boolean {
    return this.storage.expire(0, key, ttlMs);
  }

  setFlags(ref: EntryRef, flags: number): void {
    this.storage.setFlags(ref, flags);
  }
}

import { systemClock, systemRandom } from '@larder/base';
import {
  type CopiedEntry,
  createOrigin,
  type DeadLetter,
  type EntryMemory,
  type EntryRef,
  Loader,
  type LoaderStatistics,
  PostgresDatabase,
  type Reply,
  resolveCachePolicy,
  resolvePostgresDatabaseOptions,
} from '@larder/loader';
import { createStorage, LoneMemory } from '@larder/node/internal';
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
    const memory = new LoneMemory(0, storage);
    const loader = new Loader({
      name: 'bench',
      policy: resolved,
      memory,
      origin,
      clock: systemClock,
      random: systemRandom,
    });
    const sweeping = setInterval(() => storage.maintain(1), 100);
    return new LoaderAlone(loader, memory, database, sweeping);
  }

  private constructor(
    private readonly loader: Loader,
    private readonly memory: LoneMemory,
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

  deadLetters(limit: number): DeadLetter[] {
    return this.loader.deadLetters(limit);
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

  copied({ bytes }: CopiedEntry): void {
    this.value(bytes);
  }

  value(bytes: Uint8Array): void {
    this.resolve(JSON.parse(Buffer.from(bytes).toString()));
  }

  miss(): void {
    this.resolve(undefined);
  }

  leased(): void {
    this.resolve(undefined);
  }

  refusedFill(): void {
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

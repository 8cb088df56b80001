import { bytes, connect } from '@larder/client';
import { Redis } from 'ioredis';
import memjs from 'memjs';
import { BENCH_CACHE } from '../servers/larder-node.js';
import type { Endpoint } from '../servers/server.js';

/** Writes entries into a server, with a life if one is given. */
export interface Loader {
  set(key: string, value: Buffer, ttlSeconds: number | undefined): Promise<unknown>;
  get(key: string): Promise<Uint8Array | null | undefined>;
  close(): Promise<unknown>;
}

export async function loadIntoLarder({ host, port }: Endpoint): Promise<Loader> {
  const larder = await connect({ endpoints: `${host}:${port}` });
  const cache = larder.cache(BENCH_CACHE, { codec: bytes() });
  return {
    set: (key, value, ttlSeconds) =>
      cache.set(key, value, ttlSeconds === undefined ? undefined : { ttl: ttlSeconds * 1000 }),
    get: (key) => cache.get(key),
    close: () => larder.close(),
  };
}

export async function loadIntoRedis(endpoint: Endpoint): Promise<Loader> {
  const redis = new Redis({ ...endpoint, enableAutoPipelining: true, lazyConnect: true });
  await redis.connect();
  return {
    set: (key, value, ttlSeconds) =>
      ttlSeconds === undefined ? redis.set(key, value) : redis.set(key, value, 'EX', ttlSeconds),
    get: (key) => redis.getBuffer(key),
    close: () => redis.quit(),
  };
}

export async function loadIntoMemcached({ host, port }: Endpoint): Promise<Loader> {
  const client = memjs.Client.create(`${host}:${port}`, { timeout: 30, retries: 0 });
  return {
    set: (key, value, ttlSeconds) =>
      new Promise((resolve, reject) => {
        client.set(key, value, { expires: ttlSeconds ?? 0 }, (error, stored) =>
          error ? reject(error) : resolve(stored),
        );
      }),
    get: (key) =>
      new Promise((resolve, reject) => {
        client.get(key, (error, value) => (error ? reject(error) : resolve(value)));
      }),
    close: async () => client.close(),
  };
}

import { Redis } from 'ioredis';
import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';

/** ioredis as it comes: a command is written to the socket when it is called. */
export function connectClient(endpoint: Endpoint): Promise<KeyValueClient> {
  return connectIoredis(endpoint, false);
}

export async function connectIoredis(endpoint: Endpoint, enableAutoPipelining: boolean): Promise<KeyValueClient> {
  const redis = new Redis({ ...endpoint, enableAutoPipelining, lazyConnect: true });
  await redis.connect();
  return {
    get: (key) => redis.getBuffer(key),
    set: (key, value) => redis.set(key, value),
    close: () => redis.quit(),
  };
}

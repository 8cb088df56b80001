import { bytes, connect } from '@larder/client';
import { BENCH_CACHE } from '../servers/larder-node.js';
import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';

/** Larder as a user has it, with the codec that passes bytes through. */
export async function connectClient({ host, port }: Endpoint): Promise<KeyValueClient> {
  const larder = await connect({ endpoints: `${host}:${port}` });
  const cache = larder.cache(BENCH_CACHE, { codec: bytes() });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    close: () => larder.close(),
  };
}

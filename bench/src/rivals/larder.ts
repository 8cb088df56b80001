import { bytes, type ConnectOptions, connect } from '@larder/client';
import { BENCH_CACHE } from '../servers/larder-node.js';
import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';

/** Larder as a user has it, with the codec that passes bytes through. */
export function connectClient(endpoint: Endpoint): Promise<KeyValueClient> {
  return connectLarder(endpoint, {});
}

export async function connectLarder(
  { host, port }: Endpoint,
  options: Omit<ConnectOptions, 'endpoints'>,
): Promise<KeyValueClient> {
  const larder = await connect({ ...options, endpoints: `${host}:${port}` });
  const cache = larder.cache(BENCH_CACHE, { codec: bytes() });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    close: () => larder.close(),
  };
}

import { createClient, RESP_TYPES } from 'redis';
import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';

/** node-redis, which always pipelines what is called in one turn; replies mapped to buffers. */
export async function connectClient({ host, port }: Endpoint): Promise<KeyValueClient> {
  const client = createClient({ socket: { host, port } });
  client.on('error', (error: Error) => process.stderr.write(`node-redis: ${error.message}\n`));
  await client.connect();
  const redis = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return {
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    close: () => client.close(),
  };
}

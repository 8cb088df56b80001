import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';
import { connectIoredis } from './ioredis.js';

/** ioredis with its auto-pipelining: the commands of one turn of the event loop leave together. */
export function connectClient(endpoint: Endpoint): Promise<KeyValueClient> {
  return connectIoredis(endpoint, true);
}

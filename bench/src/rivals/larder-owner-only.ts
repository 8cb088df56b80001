import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';
import { connectLarder } from './larder.js';

/** Larder with writes that do not wait for the other copy. */
export function connectClient(endpoint: Endpoint): Promise<KeyValueClient> {
  return connectLarder(endpoint, { ack: 'owner' });
}

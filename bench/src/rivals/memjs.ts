import memjs from 'memjs';
import type { Endpoint } from '../servers/server.js';
import type { KeyValueClient } from './client.js';

/** Above the longest wait of 4,096 callers; memjs's half second would fail them. */
const TIMEOUT_SECONDS = 30;

/** memjs over the binary protocol. One promise a call, as its own promise calls make. */
export async function connectClient({ host, port }: Endpoint): Promise<KeyValueClient> {
  const client = memjs.Client.create(`${host}:${port}`, { timeout: TIMEOUT_SECONDS, retries: 0 });
  return {
    get: (key) =>
      new Promise((resolve, reject) => {
        client.get(key, (error, value) => (error ? reject(error) : resolve(value)));
      }),
    set: (key, value) =>
      new Promise((resolve, reject) => {
        client.set(key, value, {}, (error, stored) => (error ? reject(error) : resolve(stored)));
      }),
    close: async () => client.close(),
  };
}

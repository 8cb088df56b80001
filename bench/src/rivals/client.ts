import type { Endpoint } from '../servers/server.js';

/** What a comparison needs of a client library: keys are strings, values are bytes in both directions. */
export interface KeyValueClient {
  /** The value, or null or undefined if there is none. */
  get(key: string): Promise<Uint8Array | null | undefined>;
  set(key: string, value: Buffer): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Every file beside this one exports one of these, called `connectClient`. */
export type ConnectClient = (endpoint: Endpoint) => Promise<KeyValueClient>;

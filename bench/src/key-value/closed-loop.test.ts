import { describe, expect, it } from 'vitest';
import type { KeyValueClient } from '../rivals/client.js';
import { closedLoop } from './closed-loop.js';
import { populate, verify } from './populate.js';

class MapClient implements KeyValueClient {
  readonly entries = new Map<string, Buffer>();
  outstanding = 0;
  outstandingMax = 0;

  get(key: string): Promise<Buffer | undefined> {
    return this.#answer(() => this.entries.get(key));
  }

  set(key: string, value: Buffer): Promise<unknown> {
    return this.#answer(() => this.entries.set(key, value));
  }

  async close(): Promise<void> {}

  #answer<T>(act: () => T): Promise<T> {
    this.outstanding++;
    this.outstandingMax = Math.max(this.outstandingMax, this.outstanding);
    return new Promise((resolve) => {
      setImmediate(() => {
        this.outstanding--;
        resolve(act());
      });
    });
  }
}

const plan = { operation: 'get', concurrency: 8, warmUpMs: 2, windowMs: 10 } as const;

describe('closedLoop', () => {
  it('keeps as many operations outstanding as it has callers, and leaves none behind', async () => {
    const client = new MapClient();
    await populate(client);
    client.outstandingMax = 0;
    const measurement = await closedLoop(client, [process.pid], plan);
    expect(client.outstandingMax).toBe(8);
    expect(client.outstanding).toBe(0);
    expect(measurement.ops).toBeGreaterThan(0);
    expect(measurement.p99Ms).toBeGreaterThanOrEqual(measurement.p50Ms);
  });

  it('fails when a get does not give a whole value', async () => {
    const client = new MapClient();
    await expect(closedLoop(client, [process.pid], plan)).rejects.toThrow('gave no bytes, not 100');
  });

  it('has no CPU time for a server that does not exist', async () => {
    const client = new MapClient();
    const measurement = await closedLoop(client, [-1], { ...plan, operation: 'set' });
    expect(measurement.serverCpuUs).toBeNull();
  });
});

describe('verify', () => {
  it('accepts what populate wrote and refuses anything else', async () => {
    const client = new MapClient();
    await populate(client);
    expect(client.entries.size).toBe(100_000);
    await verify(client);
    client.entries.set('k:0000097', Buffer.alloc(100));
    await expect(verify(client)).rejects.toThrow('k:0000097 does not hold the value that was set');
  });
});

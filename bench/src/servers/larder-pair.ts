import { untilSettled } from '@larder/test-kit';
import { startLarderNode } from './larder-node.js';
import type { Server, StartOptions } from './server.js';

/** A cluster of two nodes, each of which owns half of the keys and has a copy of the other half. */
export async function startLarderPair(options: StartOptions): Promise<Server> {
  const first = await startLarderNode(options);
  try {
    const address = `${first.endpoint.host}:${first.endpoint.port}`;
    const second = await startLarderNode(options, { id: 'n2', join: address });
    const stop = (): Promise<unknown> => Promise.all([first.stop(), second.stop()]);
    try {
      await untilSettled([address, `${second.endpoint.host}:${second.endpoint.port}`]);
      return { endpoint: first.endpoint, pids: [...first.pids, ...second.pids], stop };
    } catch (error) {
      await second.stop();
      throw error;
    }
  } catch (error) {
    await first.stop();
    throw error;
  }
}

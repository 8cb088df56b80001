import type { ServerName } from '../rivals/clients.js';
import { startLarderNode } from './larder-node.js';
import { startLarderPair } from './larder-pair.js';
import { startMemcached } from './memcached.js';
import { startRedis } from './redis.js';
import type { Server, StartOptions } from './server.js';

const STARTERS: Readonly<Record<ServerName, (options: StartOptions) => Promise<Server | undefined>>> = {
  'larder-node': (options) => startLarderNode(options),
  'larder-pair': startLarderPair,
  'redis-server': startRedis,
  memcached: startMemcached,
};

/** Starts the named servers; one that is not installed is named on stderr and left out. */
export async function startServers(
  names: Iterable<ServerName>,
  options: StartOptions,
): Promise<Map<ServerName, Server>> {
  const servers = new Map<ServerName, Server>();
  try {
    for (const name of names) {
      const server = await STARTERS[name](options);
      if (server === undefined) process.stderr.write(`${name} is not on the PATH: its clients are skipped\n`);
      else servers.set(name, server);
    }
  } catch (error) {
    await stopServers(servers);
    throw error;
  }
  return servers;
}

export async function stopServers(servers: ReadonlyMap<ServerName, Server>): Promise<void> {
  await Promise.all([...servers.values()].map((server) => server.stop()));
}

import { findOnPath, freeEndpoint, type Server, type StartOptions, startServer } from './server.js';

/** `redis-server` without persistence; undefined if it is not on the PATH. */
export async function startRedis({ core }: StartOptions): Promise<Server | undefined> {
  const program = findOnPath('redis-server');
  if (program === undefined) return undefined;
  const endpoint = await freeEndpoint();
  const flags = ['--bind', endpoint.host, '--port', String(endpoint.port), '--save', '', '--appendonly', 'no'];
  return startServer({
    name: 'redis-server',
    command: [program, ...flags],
    endpoint,
    core,
    isReady: (line) => line.includes('Ready to accept connections'),
  });
}

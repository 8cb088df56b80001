import { findOnPath, freeEndpoint, ServerProcess } from './server-process.js';

/** `redis-server` without persistence; undefined if it is not on the PATH. */
export async function startRedis(core: number | undefined): Promise<ServerProcess | undefined> {
  const command = findOnPath('redis-server');
  if (command === undefined) return undefined;
  const endpoint = await freeEndpoint();
  const flags = ['--bind', endpoint.host, '--port', String(endpoint.port), '--save', '', '--appendonly', 'no'];
  return ServerProcess.start({ name: 'redis-server', command, arguments: flags, endpoint, core });
}

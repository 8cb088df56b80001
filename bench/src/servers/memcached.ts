import { userInfo } from 'node:os';
import { findOnPath, freeEndpoint, ServerProcess } from './server-process.js';

/** `memcached` with room for all keys and for 1 MiB values; undefined if it is not on the PATH. */
export async function startMemcached(core: number | undefined): Promise<ServerProcess | undefined> {
  const command = findOnPath('memcached');
  if (command === undefined) return undefined;
  const endpoint = await freeEndpoint();
  const flags = [
    '-l',
    endpoint.host,
    '-p',
    String(endpoint.port),
    '-U',
    '0',
    '-m',
    '256',
    '-I',
    '8m',
    '-u',
    userInfo().username,
  ];
  return ServerProcess.start({ name: 'memcached', command, arguments: flags, endpoint, core });
}

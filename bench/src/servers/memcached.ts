import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { type Endpoint, findOnPath, freeEndpoint, type Server, type StartOptions, startServer } from './server.js';

const ACCEPTS_MS_MAX = 10_000;
/** memcached says nothing when it is ready, so the shell that it replaces says that it was started. */
const SAY_STARTED = ['/bin/sh', '-c', 'echo started; exec "$0" "$@"'] as const;

/** `memcached` with room for all keys and for 1 MiB values; undefined if it is not on the PATH. */
export async function startMemcached({ core }: StartOptions, memoryMiB = 256): Promise<Server | undefined> {
  const program = findOnPath('memcached');
  if (program === undefined) return undefined;
  const endpoint = await freeEndpoint();
  const place = ['-l', endpoint.host, '-p', String(endpoint.port), '-U', '0', '-u', userInfo().username];
  const server = await startServer({
    name: 'memcached',
    command: [...SAY_STARTED, program, ...place, '-m', String(memoryMiB), '-I', '8m'],
    endpoint,
    core,
    isReady: (line) => line === 'started',
  });
  try {
    await untilAccepting(endpoint);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

async function untilAccepting(endpoint: Endpoint): Promise<void> {
  const giveUpAtMs = performance.now() + ACCEPTS_MS_MAX;
  while (!(await accepts(endpoint))) {
    if (performance.now() > giveUpAtMs) {
      throw new Error(`memcached does not accept connections on port ${endpoint.port} after ${ACCEPTS_MS_MAX} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(endpoint: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(endpoint);
    const settle = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

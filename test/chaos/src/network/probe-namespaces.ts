import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { command } from './command.js';
import type { NamespaceNetwork } from './namespace-network.js';

const LISTEN = `
  const server = require('net').createServer((socket) => socket.end());
  server.listen(7, '0.0.0.0', () => console.log('listening'));
  process.stdin.on('end', () => process.exit()).resume();`;

const CONNECT = (host: string): string => `
  const socket = require('net').connect({ host: '${host}', port: 7, timeout: 2000 });
  socket.on('timeout', () => process.exit(1)).on('error', () => process.exit(1)).on('connect', () => process.exit(0));`;

/**
 * Rejects unless two namespaces reach each other. Making them may be permitted and their packets be dropped all the same,
 * by a firewall that looks at bridges.
 */
export async function probeNamespaces(network: NamespaceNetwork): Promise<void> {
  const ids = ['probe1', 'probe2'] as const;
  const places = await Promise.all(ids.map((id) => network.addNode(id)));
  const [first, second] = places.map(({ prefix }) => prefix) as [string[], string[]];
  const listener = spawn(first[0]!, [...first.slice(1), process.execPath, '-e', LISTEN], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  try {
    await Promise.race([once(listener.stdout, 'data'), once(listener, 'close')]);
    const host = places[0]!.address.split(':')[0] as string;
    await command(second[0]!, ...second.slice(1), process.execPath, '-e', CONNECT(host));
  } finally {
    listener.stdin.end();
    if (listener.exitCode === null) await once(listener, 'close');
  }
}

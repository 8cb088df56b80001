import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freeEndpoint, ServerProcess } from './server-process.js';
import type { StartOptions } from './servers.js';

/** The cache that key-value benches use. */
export const BENCH_CACHE = 'bench';

const CONFIG = `caches:
  ${BENCH_CACHE}:
    memory: 256MiB
    eviction: lru
`;

/** One node that owns everything, with one cache in front of nothing. */
export async function startLarderNode({ core, nodeFlags }: StartOptions): Promise<ServerProcess> {
  const endpoint = await freeEndpoint();
  const address = `${endpoint.host}:${endpoint.port}`;
  const folder = mkdtempSync(join(tmpdir(), 'larder-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'larder.yaml');
  writeFileSync(config, CONFIG);
  const flags = ['--config', config, '--id', 'n1', '--listen', address, '--nodes', `n1=${address}`];
  return ServerProcess.start({
    name: 'larder-node',
    command: process.execPath,
    arguments: [...nodeFlags, nodeScript(), ...flags],
    endpoint,
    core,
  });
}

function nodeScript(): string {
  const index = createRequire(import.meta.url).resolve('@larder/node');
  return join(dirname(index), 'main.js');
}

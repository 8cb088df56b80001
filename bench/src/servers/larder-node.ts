import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freeEndpoint, type Server, type StartOptions, startServer } from './server.js';

/** The cache that key-value benches use. */
export const BENCH_CACHE = 'bench';

const CONFIG = `caches:
  ${BENCH_CACHE}:
    memory: 256MiB
    eviction: lru
`;

/** One node with one cache in front of nothing: it owns everything, or joins another one. */
export async function startLarderNode(
  { core, nodeFlags }: StartOptions,
  place: { readonly id: string; readonly join: string } | undefined = undefined,
  config = CONFIG,
): Promise<Server> {
  const endpoint = await freeEndpoint();
  const address = `${endpoint.host}:${endpoint.port}`;
  const folder = mkdtempSync(join(tmpdir(), 'larder-bench-'));
  const configPath = join(folder, 'larder.yaml');
  writeFileSync(configPath, config);
  const id = place?.id ?? 'n1';
  const cluster = place === undefined ? ['--voters', `n1=${address}`] : ['--join', place.join];
  const flags = ['--config', configPath, '--id', id, '--listen', address, ...cluster];
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  try {
    const server = await startServer({
      name: 'larder-node',
      command: [process.execPath, ...nodeFlags, nodeScript(), ...flags],
      endpoint,
      core,
      isReady: (line) => line.includes('"event":"ready"'),
      folder,
    });
    return { endpoint, pids: server.pids, stop: () => server.stop().finally(removeFolder) };
  } catch (error) {
    removeFolder();
    throw error;
  }
}

function nodeScript(): string {
  const index = createRequire(import.meta.url).resolve('@larder/node');
  return join(dirname(index), 'main.js');
}

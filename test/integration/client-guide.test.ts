/** The examples of docs/client.md, compiled as a user's strict TypeScript and run against real nodes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Cluster, startCluster } from '@larder/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Here @larder/client can be found, as it can be where a reader has installed it. */
const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const CACHES = ['cities', 'forecasts', 'populations', 'launches', 'names', 'images'];
const COMPILER_OPTIONS = { strict: true, noUnusedLocals: true, module: 'NodeNext', target: 'ES2022', types: ['node'] };

let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    config: { memory: '64MiB', caches: Object.fromEntries(CACHES.map((name) => [name, { memory: '10MiB' }])) },
  });
  folder = mkdtempSync(join(FOLDER, '.client-guide-'));
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.stop();
});

async function run(command: string, ...args: string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect({ code, stderr, stdout: code === 0 ? '' : stdout }).toEqual({ code: 0, stderr: '', stdout: '' });
  return stdout;
}

/** One program of all examples: the first two blocks are for all, each other has a scope of its own. */
function programOf(blocks: readonly string[]): string {
  const imports = blocks.flatMap((block) => block.match(/^import .*;$/gm) ?? []);
  const bodies = blocks.map((block) => block.replace(/^import .*;$/gm, ''));
  const scopes = bodies.slice(2).map((body) => `await (async () => {\n${body}\n})();`);
  const program = [...new Set(imports), ...bodies.slice(0, 2), ...scopes, 'await larder.close();'].join('\n');
  return program
    .replaceAll('127.0.0.1:7401', cluster.endpoints[0] as string)
    .replaceAll('127.0.0.1:7402', cluster.endpoints[1] as string);
}

test('the examples of the client’s guide compile, run, and print what they say', async () => {
  const guide = readFileSync(join(ROOT, 'docs/client.md'), 'utf8');
  const blocks = [...guide.matchAll(/```ts\n(.*?)```/gs)].map((block) => block[1] as string);
  expect(blocks.length).toBeGreaterThan(8);
  const said = [...blocks.join('').matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].flatMap(([, comment]) =>
    (comment as string).split(' | '),
  );
  expect(said.length).toBeGreaterThan(10);

  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: ['guide.ts'] }),
  );
  writeFileSync(join(folder, 'guide.ts'), programOf(blocks));
  await run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder);
  expect((await run(process.execPath, join(folder, 'guide.js'))).trimEnd().split('\n')).toEqual(said);
});

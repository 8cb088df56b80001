import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import {
  type FreshDatabase,
  freePorts,
  freshDatabase,
  type Postgres,
  startNode,
  startPostgres,
} from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** What a reader pastes from README.md, docs/running.md and the demonstration's own hint must work as it stands there. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Here @larder/client can be found, as it can be where a reader has installed it. */
const FOLDER = fileURLToPath(new URL('..', import.meta.url));

let postgres: Postgres;
let database: FreshDatabase;
let temporary: string;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await freshDatabase(postgres.url);
  temporary = mkdtempSync(join(tmpdir(), 'larder-documentation-'));
});

afterAll(async () => {
  await postgres.stop();
  rmSync(temporary, { recursive: true, force: true });
});

function codeBlocks(path: string, language: string): string[] {
  const blocks = readFileSync(join(ROOT, path), 'utf8').matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'));
  return [...blocks].map((block) => block[1] as string);
}

async function runModule(code: string, folder: string): Promise<string> {
  const path = join(folder, `.documentation-${process.pid}.mjs`);
  writeFileSync(path, code);
  try {
    const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  } finally {
    rmSync(path);
  }
}

/** Resolves with what it has said when it stays up and waits for Ctrl-C. */
async function hintOf(demonstration: ChildProcess): Promise<string> {
  const lines: string[] = [];
  if (demonstration.stdout === null) throw new Error('standard output is not a pipe');
  for await (const line of createInterface({ input: demonstration.stdout })) {
    lines.push(line);
    if (line.trim() === 'node try.mjs') return lines.join('\n');
  }
  throw new Error(`the demonstration ended:\n${lines.join('\n')}`);
}

test('the snippets of the README and of the hint run against the demonstration', async () => {
  const main = join(ROOT, 'examples/cities/dist/main.js');
  const env = { ...process.env, DATABASE_URL: database.url };
  const demonstration = spawn(process.execPath, [main, '--seconds', '1'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const hint = await hintOf(demonstration);
  const [endpoint] = /127\.0\.0\.1:\d+/.exec(hint.slice(hint.indexOf('  nodes '))) as RegExpExecArray;

  const [snippet] = codeBlocks('README.md', 'js');
  const said = await runModule((snippet as string).replace('127.0.0.1:7401', endpoint), FOLDER);
  expect(said).toMatch(/^Berlin 3426354\n\{ id: 'me', language: 'en' \} \d+\n$/);

  const pasted = /'END'\n(.*)\n {2}END/s.exec(hint)?.[1] as string;
  expect(await runModule(pasted, ROOT)).toContain("name: 'Berlin'");

  demonstration.kill('SIGTERM');
  const [code] = await once(demonstration, 'exit');
  expect(code).toBe(0);
}, 120_000);

test('the configurations of README and docs/running.md start a node', async () => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE TABLE products (id int PRIMARY KEY, name text)');
  await client.query('CREATE SCHEMA stats');
  await client.query('CREATE TABLE stats.page_views (page_id int PRIMARY KEY, views int)');
  await client.end();
  const examples = [...codeBlocks('README.md', 'yaml'), ...codeBlocks('docs/running.md', 'yaml')];
  expect(examples).toHaveLength(2);
  for (const [index, example] of examples.entries()) {
    const configPath = join(temporary, `${index}.yaml`);
    writeFileSync(configPath, example);
    const [port] = await freePorts(1);
    const env = { DATABASE_URL: database.url };
    const node = await startNode({ id: 'n1', address: `127.0.0.1:${port}`, configPath, env });
    expect(await node.stop()).toEqual({ code: 0, signal: null });
  }
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { freshDatabase, type Postgres, startPostgres } from '@larder/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(() => postgres.stop());

async function storyOf(example: string): Promise<string[]> {
  const main = fileURLToPath(new URL(`../../examples/${example}/dist/main.js`, import.meta.url));
  const { url: DATABASE_URL } = await freshDatabase(postgres.url);
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, DATABASE_URL },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim().split('\n');
}

test('the home page: what editors publish is read soon, and no visitor waits for a page', async () => {
  expect(await storyOf('home-page')).toEqual([
    'front, 1000 visitors at once: Night trains return, Harbour bridge opens',
    'sport, 1000 visitors at once: Regatta called off',
    'front, visitors go on, and soon they read: Lighthouse relit',
    'sport, visitors go on, and soon they read: Regatta on Sunday',
    'pages that somebody had to wait for meanwhile: 0',
  ]);
});

test('cache-aside: one of many callers computes a report, and none is older than the last order', async () => {
  expect(await storyOf('cache-aside')).toEqual([
    '500 callers of two applications: DE 80.50, NO 139.50',
    '  computed: 1',
    'after an order: DE 80.50, NO 139.50, SE 40.00',
    '  computed: 2',
    'a month without orders: LOADER, Error: there are no orders in 2027-01',
    'and after its first one: DE 9.00',
  ]);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { freshDatabase, type Postgres, startPostgres } from '@larder/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../examples/product-page/dist/main.js', import.meta.url));

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
});

afterAll(() => postgres.stop());

test('the product page: one load for a thousand visitors, and no page shows an old price', async () => {
  const { url: DATABASE_URL } = await freshDatabase(postgres.url);
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, DATABASE_URL },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.trim().split('\n')).toEqual([
    '1000 visitors at once: Garden chair 49.00, 4.5 stars of 2 reviews, beside Garden table 120.00',
    '  loaded from PostgreSQL: 1',
    '  beside the parasol: Parasol 79.50, no stars of 0 reviews, beside Garden table 120.00',
    'the table costs 99.00 now: 2 pages forgotten',
    '  the next visitor: Garden chair 49.00, 4.5 stars of 2 reviews, beside Garden table 99.00',
    '  beside the parasol: Parasol 79.50, no stars of 0 reviews, beside Garden table 99.00',
    'popular: Garden chair 49.00, Parasol 79.50',
    'no such product: nothing',
  ]);
});

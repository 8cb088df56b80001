/** Visitors look at product pages while a price changes. Says on standard output what happens, and ends by itself. */
import { fileURLToPath } from 'node:url';
import { connect, type Larder } from '@larder/client';
import { startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { type ProductPage, SCHEMA } from './schema.js';
import { Shop } from './shop.js';

const CONFIG_PATH = fileURLToPath(new URL('../larder.yaml', import.meta.url));
const VISITORS = 1_000;

async function tellStory(shop: Shop, larder: Larder): Promise<void> {
  const pages = await Promise.all(Array.from({ length: VISITORS }, () => shop.page(1)));
  console.log(`${VISITORS} visitors at once: ${described(pages[0])}`);
  console.log(`  loaded from PostgreSQL: ${await loadCount(larder)}`);
  console.log(`  beside the parasol: ${described(await shop.page(3))}`);

  const forgotten = await shop.changePrice(2, '99.00');
  console.log(`the table costs 99.00 now: ${forgotten} pages forgotten`);
  console.log(`  the next visitor: ${described(await shop.page(1))}`);
  console.log(`  beside the parasol: ${described(await shop.page(3))}`);

  const popular = await shop.popular('garden', 2);
  console.log(`popular: ${popular.map(({ name, price }) => `${name} ${price}`).join(', ')}`);
  console.log(`no such product: ${described(await shop.page(77))}`);
}

function described(page: ProductPage | undefined): string {
  if (page === undefined) return 'nothing';
  const beside = page.beside.map(({ name, price }) => `${name} ${price}`).join(', ');
  return `${page.name} ${page.price}, ${page.stars ?? 'no'} stars of ${page.reviews} reviews, beside ${beside}`;
}

async function loadCount(larder: Larder): Promise<number> {
  const nodes = await larder.nodeStatistics();
  return nodes.flatMap(({ caches }) => caches).reduce((sum, { loads }) => sum + loads, 0);
}

const stops: (() => Promise<unknown>)[] = [];
try {
  const server = process.env.DATABASE_URL ? undefined : await startPostgres();
  if (server !== undefined) stops.push(() => server.stop());
  const url = server?.url ?? (process.env.DATABASE_URL as string);
  const database = new pg.Pool({ connectionString: url, max: 4 });
  stops.push(() => database.end());
  await database.query(SCHEMA);
  const cluster = await startCluster({ config: CONFIG_PATH, env: { DATABASE_URL: url } });
  stops.push(() => cluster.stop());
  const larder = await connect({ endpoints: cluster.endpoints });
  stops.push(() => larder.close());
  await tellStory(new Shop(larder, database), larder);
} finally {
  for (const stop of stops.reverse()) await stop();
}

/** Visitors look at two pages while editors publish. Says on standard output what happens, and ends by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, type Larder } from '@larder/client';
import { startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { SCHEMA } from './schema.js';
import { Site } from './site.js';

const CONFIG_PATH = fileURLToPath(new URL('../larder.yaml', import.meta.url));
const VISITORS = 1_000;
const NEWS = [
  ['front', 'Lighthouse relit'],
  ['sport', 'Regatta on Sunday'],
] as const;
/** Between two visitors. */
const PAUSE_MS = 100;

async function tellStory(site: Site, larder: Larder): Promise<void> {
  for (const [section] of NEWS) {
    const pages = await Promise.all(Array.from({ length: VISITORS }, () => site.page(section)));
    console.log(`${section}, ${VISITORS} visitors at once: ${pages[0]?.map(({ headline }) => headline).join(', ')}`);
  }
  const missed = await missCount(larder);
  for (const [section, headline] of NEWS) await site.publish(section, headline);
  for (const [section, headline] of NEWS) {
    await untilShown(site, section, headline);
    console.log(`${section}, visitors go on, and soon they read: ${headline}`);
  }
  console.log(`pages that somebody had to wait for meanwhile: ${(await missCount(larder)) - missed}`);
}

async function untilShown(site: Site, section: string, headline: string): Promise<void> {
  while ((await site.page(section))[0]?.headline !== headline) await sleep(PAUSE_MS);
}

async function missCount(larder: Larder): Promise<number> {
  const nodes = await larder.nodeStatistics();
  return nodes.flatMap(({ caches }) => caches).reduce((sum, { misses }) => sum + misses, 0);
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
  await tellStory(new Site(larder, database), larder);
} finally {
  for (const stop of stops.reverse()) await stop();
}

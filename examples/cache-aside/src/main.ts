/** Two applications ask for reports while orders come in. Says on standard output what happens, and ends by itself. */
import { fileURLToPath } from 'node:url';
import { connect, LarderError } from '@larder/client';
import { startCluster, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { type Report, Reports } from './reports.js';
import { SCHEMA } from './schema.js';

const CONFIG_PATH = fileURLToPath(new URL('../larder.yaml', import.meta.url));
const CALLERS = 500;

async function tellStory(one: Reports, other: Reports): Promise<void> {
  const asked = Array.from({ length: CALLERS }, (_, caller) => (caller % 2 === 0 ? one : other).revenue('2026-10'));
  const reports = await Promise.all(asked);
  console.log(`${CALLERS} callers of two applications: ${described(reports[0])}`);
  console.log(`  computed: ${one.computed + other.computed}`);

  await one.order('2026-10', 'SE', 40);
  console.log(`after an order: ${described(await other.revenue('2026-10'))}`);
  console.log(`  computed: ${one.computed + other.computed}`);

  console.log(`a month without orders: ${await one.revenue('2027-01').then(described, reasonOf)}`);
  await other.order('2027-01', 'DE', 9);
  console.log(`and after its first one: ${described(await one.revenue('2027-01'))}`);
}

function described(report: Report | undefined): string {
  const lines = Object.entries(report ?? {}).sort(([a], [b]) => a.localeCompare(b));
  return lines.map(([country, revenue]) => `${country} ${revenue.toFixed(2)}`).join(', ');
}

/** What a load throws is the cause of the error that its callers get. */
function reasonOf(error: unknown): string {
  return error instanceof LarderError ? `${error.code}, ${String(error.cause)}` : String(error);
}

const stops: (() => Promise<unknown>)[] = [];
try {
  const server = process.env.DATABASE_URL ? undefined : await startPostgres();
  if (server !== undefined) stops.push(() => server.stop());
  const database = new pg.Pool({ connectionString: server?.url ?? process.env.DATABASE_URL, max: 4 });
  stops.push(() => database.end());
  await database.query(SCHEMA);
  const cluster = await startCluster({ config: CONFIG_PATH });
  stops.push(() => cluster.stop());
  // Each would be a process of its own; all that they share is the cluster.
  const { endpoints } = cluster;
  const [one, other] = await Promise.all([connect({ endpoints }), connect({ endpoints })]);
  stops.push(() => Promise.all([one.close(), other.close()]));
  await tellStory(new Reports(one, database), new Reports(other, database));
} finally {
  for (const stop of stops.reverse()) await stop();
}

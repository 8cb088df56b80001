/**
 * Start and stop order of everything: PostgreSQL, its data, three nodes, a client; then the visitors; then the report.
 * What was started is stopped in reverse, also when a later step fails.
 */
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@larder/base';
import { connect, type Larder } from '@larder/client';
import { type Cluster, startCluster } from '@larder/test-kit';
import { type Database, openDatabase } from './database.js';
import { type Dataset, loadCities, USERS } from './dataset/load-cities.js';
import type { AuditRecord, City, Session, Visits } from './dataset/schema.js';
import type { Options } from './options.js';
import { hintText } from './report/hint.js';
import { insideText } from './report/inside.js';
import { type Output, showProgress } from './report/progress.js';
import { type Results, summarize } from './report/results.js';
import { grouped, tableText } from './report/table.js';
import { countMissingVisits } from './verify-visits.js';
import { Measurements } from './workload/measurements.js';
import { runWorkload, VISITORS } from './workload/run-workload.js';
import type { Site } from './workload/visitor.js';
import { Zipf } from './workload/zipf.js';

const CONFIG_PATH = fileURLToPath(new URL('../larder.yaml', import.meta.url));
/** Taken if they are free, so that what was pasted from the documentation works. */
const PREFERRED_PORTS = [7401, 7402, 7403];
/** That of Zipf's law: the second city is asked for half as often as the first, the tenth a tenth as often. */
const ZIPF_EXPONENT = 1;

export interface Surroundings {
  /** For people. */
  readonly output: Output;
  /** Ends the demonstration early, and in order. */
  readonly signal: AbortSignal;
  readonly onResults: (results: Results) => void;
}

/** Resolves when it is over and everything is stopped. */
export async function demonstrate(options: Options, { output, signal, onResults }: Surroundings): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const parts = await start(output, signal, stops);
    if (parts === undefined) return;
    onResults(await run(parts, options, output, signal));
    if (!options.exit && !signal.aborted) {
      output.write(hintText(parts.cluster, parts.database.shownUrl));
      await aborted(signal);
      output.write('\nstopping: writes on their way to the database first\n');
    }
  } finally {
    for (const stop of stops.reverse()) await stop();
    if (signal.aborted) output.write('stopped\n');
  }
}

interface Parts {
  readonly database: Database;
  readonly dataset: Dataset;
  readonly cluster: Cluster;
  readonly larder: Larder;
}

/** Undefined: the signal came while starting. */
async function start(
  output: Output,
  signal: AbortSignal,
  stops: (() => Promise<unknown>)[],
): Promise<Parts | undefined> {
  const startMs = performance.now();
  const say = (text: string) =>
    output.write(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(5)} s  ${text}\n`);
  const database = await openDatabase(process.env.DATABASE_URL);
  stops.push(() => database.stop());
  say(`PostgreSQL serves at ${database.shownUrl}`);
  if (signal.aborted) return undefined;
  const dataset = await loadCities(database.pool);
  say(
    `${grouped(dataset.cityIds.length)} cities ${dataset.loadedNow ? 'loaded into' : 'are already in'} larder_demo.cities`,
  );
  if (signal.aborted) return undefined;
  const cluster = await startCluster({
    config: CONFIG_PATH,
    env: { DATABASE_URL: database.url },
    preferredPorts: PREFERRED_PORTS,
  });
  stops.push(() => cluster.stop());
  const larder = await connect({ endpoints: cluster.endpoints, timeout: '5s', name: 'cities demonstration' });
  stops.push(() => larder.close());
  await larder.cache('cities').get(dataset.cityIds[0] as number);
  say(`${cluster.nodes.length} nodes serve at ${cluster.endpoints.join(', ')}, and the first request is answered`);
  return signal.aborted ? undefined : { database, dataset, cluster, larder };
}

async function run(parts: Parts, options: Options, output: Output, signal: AbortSignal): Promise<Results> {
  const { larder, database, dataset } = parts;
  const site = newSite(parts);
  output.write(`\n${VISITORS} visitors for ${options.seconds} s\n`);
  const before = await larder.nodeStatistics();
  const endProgress = showProgress(output, site.measurements, options.seconds);
  const seconds = await runWorkload(site, { seconds: options.seconds, signal }).finally(endProgress);
  const furtherErrors = await countMissingVisits(larder, database.pool, site.visitCounts);
  const after = await larder.nodeStatistics();
  const { measurements } = site;
  const results = summarize({ measurements, seconds, rows: dataset.cityIds.length, before, after, furtherErrors });
  output.write(`\n${tableText(results)}\n\n${insideText(results)}\n\n`);
  output.write(
    `visits: ${grouped(site.visitCounts.size)} counters acknowledged, ${furtherErrors} missing in PostgreSQL\n`,
  );
  for (const text of measurements.errorTexts) output.write(`error in ${text}\n`);
  return results;
}

function newSite({ larder, database, dataset }: Parts): Site {
  return {
    caches: {
      cities: larder.cache<City>('cities'),
      visits: larder.cache<Visits>('visits'),
      audit: larder.cache<AuditRecord>('audit'),
      sessions: larder.cache<Session>('sessions'),
    },
    pool: database.pool,
    cityIds: dataset.cityIds,
    cityRanks: new Zipf(dataset.cityIds.length, ZIPF_EXPONENT),
    userRanks: new Zipf(USERS, ZIPF_EXPONENT),
    random: seededRandom(1),
    measurements: new Measurements(),
    visitCounts: new Map(),
    recentAudits: [],
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // Nothing else may keep the process alive while all is quiet.
    const staying = setInterval(() => {}, 60_000);
    const end = () => {
      clearInterval(staying);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

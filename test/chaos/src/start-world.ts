import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@larder/client';
import { startPostgres } from '@larder/test-kit';
import { ChaosWorld } from './chaos-world.js';
import { ChaosDatabase } from './check/chaos-database.js';
import { Evidence } from './check/evidence.js';
import { KeyHistories } from './check/key-histories.js';
import { WindowProbe } from './check/window-probe.js';
import { ChaosCluster } from './cluster/chaos-cluster.js';
import { ClusterWatch } from './cluster/cluster-watch.js';
import type { ToldCall } from './load/client-messages.js';
import { ClientProcess } from './load/client-process.js';
import { monotonicMs } from './load/monotonic.js';
import { RecordedCaches } from './load/recorded-caches.js';
import { type NetworkNeeds, openNetwork } from './network/open-network.js';

const CLIENTS = ['client-1', 'client-2', 'client-3'];
const CALLERS = 6;
const PAUSE_MS = 25;
const TIMEOUT_MS = 5_000;
/** Of the calls that measure how long keys are away: there is a next one in a moment. */
const PROBE_TIMEOUT_MS = 500;
const PROBE = 'probe';
const JUDGE_PERIOD_MS = 500;

/** What to do in the end, the last first. */
class Ends {
  readonly #ends: (() => unknown)[] = [];

  add(end: () => unknown): void {
    this.#ends.push(end);
  }

  async run(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        console.error(error);
      }
    }
  }
}

/**
 * Three nodes that have founded a cluster, on a network that can do what is needed, and clients that have begun to call.
 * If something cannot be started, what was is stopped.
 */
export async function startWorld(needs: NetworkNeeds): Promise<ChaosWorld> {
  const ends = new Ends();
  try {
    return await start(needs, ends);
  } catch (error) {
    await ends.run();
    throw error;
  }
}

async function start(needs: NetworkNeeds, ends: Ends): Promise<ChaosWorld> {
  const network = await openNetwork(needs);
  ends.add(() => network.close());
  const { database, databaseUrl } = await startDatabase(ends);
  const evidence = new Evidence(database, new KeyHistories([PROBE, ...CLIENTS]));
  const cluster = await ChaosCluster.start({ network, databaseUrl, voters: 3 });
  ends.add(() => cluster.stop());
  const watch = new ClusterWatch(cluster, evidence);
  ends.add(() => watch.stop());
  await watch.settled();
  const probe = await startProbe(cluster, evidence, ends);
  const clients = startClients(cluster, evidence, ends);
  const endJudging = startJudging(evidence);
  ends.add(endJudging);
  return new ChaosWorld({ network, cluster, evidence, watch, probe, clients, endJudging, stop: () => ends.run() });
}

/** The nodes reach it by a socket of the file system, which no fault of the network touches. */
async function startDatabase(ends: Ends): Promise<{ database: ChaosDatabase; databaseUrl: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'larder-chaos-socket-'));
  // PostgreSQL may run as another user.
  chmodSync(folder, 0o777);
  ends.add(() => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres({ settings: { unix_socket_directories: folder } });
  ends.add(() => postgres.stop());
  const database = await ChaosDatabase.open(postgres.url);
  ends.add(() => database.close());
  return { database, databaseUrl: `${postgres.url}?host=${encodeURIComponent(folder)}` };
}

async function startProbe(cluster: ChaosCluster, evidence: Evidence, ends: Ends): Promise<WindowProbe> {
  const larder = await connect({ endpoints: () => cluster.endpoints, timeout: PROBE_TIMEOUT_MS, name: PROBE });
  ends.add(() => larder.destroy());
  const tell = (calls: readonly ToldCall[]): void => {
    evidence.add(PROBE, { kind: 'calls', calls, toldUntilMs: caches.recordedUntilMs }, false);
  };
  const caches = new RecordedCaches(larder, {
    client: PROBE,
    recorded: (record, { endMs }) => tell([{ record, endMs }]),
    bug: (message) => evidence.problem(message),
  });
  const telling = setInterval(() => tell([]), JUDGE_PERIOD_MS);
  ends.add(() => clearInterval(telling));
  return new WindowProbe(larder, caches);
}

function startClients(cluster: ChaosCluster, evidence: Evidence, ends: Ends): ClientProcess[] {
  const originMs = monotonicMs();
  const load = { clientCount: CLIENTS.length, originMs, callers: CALLERS, pauseMs: PAUSE_MS, timeoutMs: TIMEOUT_MS };
  return CLIENTS.map((client, index) => {
    const start = { client, index, endpoints: cluster.endpoints, ...load };
    const started = new ClientProcess(start, (message) => evidence.add(client, message));
    ends.add(() => started.kill());
    return started;
  });
}

/** Returns the end of it. */
function startJudging(evidence: Evidence): () => Promise<void> {
  let judging: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    judging = judging.then(() => evidence.judge()).catch((error: unknown) => evidence.problem(String(error)));
  }, JUDGE_PERIOD_MS);
  return () => {
    clearInterval(timer);
    return judging;
  };
}

/**
 * A client process of a chaos run: a few callers that get, set, delete and fill keys of all caches through the public
 * client, and tell their parent of every call. Started with `fork`; ends when its parent does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, systemRandom } from '@larder/base';
import { connect } from '@larder/client';
import { Audit } from './audit.js';
import type { FromClient, ToClient, ToldCall } from './client-messages.js';
import { keyLifeAt, SLOT_COUNT } from './key-lives.js';
import { monotonicMs } from './monotonic.js';
import { RecordedCaches } from './recorded-caches.js';

const TELL_PERIOD_MS = 100;
const CONNECT_TIMEOUT = '20s';

type Start = Extract<ToClient, { kind: 'start' }>;

let stopping = false;

process.on('message', (message: ToClient) => {
  if (message.kind === 'finish') stopping = true;
  else
    run(message).catch((error: unknown) => tell({ kind: 'bug', message: String(error) }).then(() => process.exit(1)));
});
process.on('disconnect', () => process.exit(0));

async function run(start: Start): Promise<void> {
  const { endpoints, timeoutMs, client } = start;
  const larder = await connect({ endpoints, timeout: timeoutMs, connectTimeout: CONNECT_TIMEOUT, name: client });
  const told: ToldCall[] = [];
  const caches = new RecordedCaches(larder, {
    client,
    recorded: (record, { endMs }) => told.push({ record, endMs }),
    bug: (message) => void tell({ kind: 'bug', message }),
  });
  const audit = new Audit(caches, start);
  const flush = (): Promise<void> =>
    tell({ kind: 'calls', toldUntilMs: caches.recordedUntilMs, calls: told.splice(0) });
  const telling = setInterval(() => {
    if (!stopping) audit.look();
    void flush();
  }, TELL_PERIOD_MS);
  await Promise.all(Array.from({ length: start.callers }, () => callForEver(caches, start, systemRandom)));
  await audit.finish();
  clearInterval(telling);
  await flush();
  await tell({ kind: 'finished' });
  await larder.close();
  process.disconnect();
}

async function callForEver(caches: RecordedCaches, { originMs, pauseMs }: Start, random: Random): Promise<void> {
  while (!stopping) {
    const life = keyLifeAt(random.integer(SLOT_COUNT), monotonicMs(), originMs);
    const dice = random.integer(100);
    if (dice < 45) await caches.get(life);
    else if (dice < 80) await caches.set(life);
    else if (dice < 88 || life.cache !== 'memory') await caches.delete(life);
    else await caches.getOrSet(life);
    await sleep(random.next() * 2 * pauseMs);
  }
}

function tell(message: FromClient): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

/**
 * One visitor of an imaginary travel site, over and over: checks the session, opens a city and some that are listed
 * beside it, is counted; now and then edits a city, which leaves an audit record, or an auditor looks at an old one.
 */
import { randomUUID } from 'node:crypto';
import type { Random } from '@larder/base';
import type { Cache } from '@larder/client';
import type pg from 'pg';
import type { AuditRecord, City, Session, Visits } from '../dataset/schema.js';
import type { Measurements } from './measurements.js';
import type { Zipf } from './zipf.js';

export interface Caches {
  readonly cities: Cache<City>;
  readonly visits: Cache<Visits>;
  readonly audit: Cache<AuditRecord>;
  readonly sessions: Cache<Session>;
}

export interface Site {
  readonly caches: Caches;
  readonly pool: pg.Pool;
  /** Most populous first, which is also how often they are asked for. */
  readonly cityIds: readonly number[];
  readonly cityRanks: Zipf;
  readonly userRanks: Zipf;
  readonly random: Random;
  readonly measurements: Measurements;
  /** How often this process has counted each city: it is the only one that counts. */
  readonly visitCounts: Map<number, number>;
  /** Ids of the latest audit records, as a ring. */
  readonly recentAudits: string[];
}

const LISTED_CITIES = 8;
const EDIT_SHARE = 0.03;
const AUDITOR_SHARE = 0.06;
const RECENT_AUDITS_MAX = 200;

/** One request of the site. Ends early when a call fails, which `measurements` has then counted. Never rejects. */
export async function visit(site: Site): Promise<void> {
  try {
    await openSession(site);
    const city = await openCities(site);
    await countVisit(site, city.id);
    if (site.random.next() < EDIT_SHARE) await edit(site, city);
    if (site.random.next() < AUDITOR_SHARE) await readAudit(site);
  } catch {
    // Counted, and a visitor would reload the page.
  }
}

/** Cache-aside: on a miss the application asks its database, and the answer is kept for as long as larder.yaml says. */
async function openSession({ caches, pool, userRanks, random, measurements }: Site): Promise<void> {
  const id = `user-${userRanks.rank(random.next())}`;
  const findSession = async () => {
    measurements.byCache.sessions.ownStatements++;
    const { rows } = await pool.query<Session>({ ...FIND_SESSION, values: [id] });
    return rows[0] as Session;
  };
  await measurements.measure('sessions', () => caches.sessions.getOrSet(id, findSession));
}

const FIND_SESSION = {
  name: 'find-session',
  text: 'SELECT id, language FROM larder_demo.sessions WHERE id = $1',
};

/** Read-through. The calls of one tick leave as one frame for each node. */
async function openCities({ caches, cityIds, cityRanks, random, measurements }: Site): Promise<City> {
  const shown = Array.from({ length: LISTED_CITIES }, () => cityIds[cityRanks.rank(random.next())] as number);
  const open = (id: number) => measurements.measure('cities', async () => there(await caches.cities.get(id), id));
  const [city] = await Promise.all(shown.map(open));
  return city as City;
}

/** Write-behind. The page shows the counter, so it is read too. */
async function countVisit({ caches, measurements, visitCounts }: Site, id: number): Promise<void> {
  const stored = await measurements.measure('visits', () => caches.visits.get(id));
  const count = (visitCounts.get(id) ?? stored?.count ?? 0) + 1;
  visitCounts.set(id, count);
  await measurements.measure('visits', () => caches.visits.set(id, { city_id: id, count }));
}

/** Write-through for the city, write-around for the record of it. */
async function edit({ caches, measurements, recentAudits, random }: Site, city: City): Promise<void> {
  await measurements.measure('cities', () => caches.cities.set(city.id, { ...city, edits: city.edits + 1 }));
  const record = { id: randomUUID(), city_id: city.id, action: 'edit' };
  await measurements.measure('audit', () => caches.audit.set(record.id, record));
  if (recentAudits.length < RECENT_AUDITS_MAX) recentAudits.push(record.id);
  else recentAudits[random.integer(RECENT_AUDITS_MAX)] = record.id;
}

async function readAudit({ caches, measurements, recentAudits, random }: Site): Promise<void> {
  const id = recentAudits[random.integer(recentAudits.length)];
  if (id !== undefined) await measurements.measure('audit', async () => there(await caches.audit.get(id), id));
}

/** What the table has, the cache must have: a miss would be an error of Larder's. */
function there<T>(value: T | undefined, key: string | number): T {
  if (value === undefined) throw new Error(`${key} is in the table and was not found`);
  return value;
}

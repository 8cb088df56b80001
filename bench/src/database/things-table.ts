import pg from 'pg';

/** The table that database benches read and write: seven columns of usual types, about 100 bytes of JSON a row. */
/** With its schema: a role named larder looks into the schema of the fence first. */
export const TABLE = 'public.things';
export const COLUMNS = ['id', 'name', 'country', 'population', 'latitude', 'longitude', 'tags'] as const;

const CREATE = `
  CREATE TABLE IF NOT EXISTS ${TABLE} (
    id integer PRIMARY KEY, name text NOT NULL, country char(2) NOT NULL, population bigint NOT NULL,
    latitude double precision NOT NULL, longitude double precision NOT NULL, tags text[]
  )`;

const FILL = `
  INSERT INTO ${TABLE}
  SELECT id, 'Place number ' || id, 'DE', id * 10::bigint, id * 0.0001, id * 0.0002, ARRAY['seat', 'port']
  FROM generate_series(1, $1::integer) id`;

/** Makes it if it is not there, and fills it anew with rows 1 to `rows`, as if they had been there for a while. */
export async function fillThings(url: string, rows: number): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(CREATE);
    await client.query(`TRUNCATE ${TABLE}`);
    await client.query(FILL, [rows]);
    await client.query(`VACUUM ANALYZE ${TABLE}`);
    await client.query('CHECKPOINT');
  });
}

export interface Thing {
  readonly name: string;
  readonly country: string;
  readonly population: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly tags: readonly string[];
}

/** What writes put into a row; `round` tells them from what was there before. */
export function changedThing(id: number, round: string): Thing {
  return {
    name: `${round} ${id}`,
    country: 'FR',
    population: String(id * 20),
    latitude: id * 0.0002,
    longitude: id * 0.0001,
    tags: ['port'],
  };
}

/** How many rows a round of writes has reached. */
export async function countChanged(url: string, round: string): Promise<number> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${TABLE} WHERE name LIKE $1 || ' %'`, [
      round,
    ]);
    return Number(rows[0]?.count);
  });
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

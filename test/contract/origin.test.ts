/** The laws of an origin, held against every origin that there is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createOrigin,
  MemoryOrigin,
  type Origin,
  PostgresDatabase,
  type PostgresTableOptions,
  postgresTable,
  resolveCachePolicy,
  resolvePostgresDatabaseOptions,
} from '@larder/loader';
import { type OriginLaw, type OriginSubject, originLaws } from '@larder/loader/contract';
import { LarderError } from '@larder/proto';
import { type Postgres, startPostgres } from '@larder/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let postgres: Postgres;
let fenced: PostgresDatabase;
let unfenced: PostgresDatabase;
let folder: string;
let tables = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  const { url } = postgres;
  fenced = new PostgresDatabase(resolvePostgresDatabaseOptions({ url }), 'n1');
  unfenced = new PostgresDatabase(resolvePostgresDatabaseOptions({ url, fencing: 'none' }));
  folder = await mkdtemp(join(tmpdir(), 'larder-origin-'));
  await writeFile(join(folder, 'map-origin.mjs'), MAP_ORIGIN);
});

afterAll(async () => {
  await fenced.close();
  await unfenced.close();
  await postgres.stop();
  await rm(folder, { recursive: true });
});

const never = new AbortController().signal;

/** Whole numbers as keys, and rows whose `amount` must not be negative. */
const numbers = {
  key: (n: number) => String(n),
  value: (n: number) => Buffer.from(JSON.stringify({ amount: n, note: `number ${n}` })),
  refused: { key: '7', value: Buffer.from('{"amount":-1,"note":"too little"}') },
  impossible: ['abc', '', '99999999999999999999', '1\0', '1 ', ' 1', '001', '+1', '1.0'],
};

const tuples = {
  ...numbers,
  key: (n: number) => `["shop ${n % 3}",${n}]`,
  refused: { ...numbers.refused, key: '["shop",7]' },
  impossible: [
    '["shop 1","1"]',
    '["shop 1", 1]',
    '["shop 1"]',
    '1',
    '',
    '["shop 1",1,1]',
    '["shop\\u00201",1]',
    '["shop 1",1.0]',
  ],
};

/** A module as a user would write one. */
const MAP_ORIGIN = `
  export function createMapOrigin({ options }) {
    const rows = new Map();
    const refuse = (message) => { throw Object.assign(new Error(message), { code: 'ORIGIN', outcome: 'not-applied' }); };
    return {
      callMsMax: options.callMsMax,
      loadMany: async (keys) => keys.map((key) => rows.get(key)),
      writeMany: async (given) => {
        for (const { key, value } of given) {
          if (!/^(0|[1-9]\\d{0,5})$/.test(key)) refuse('no number: ' + key);
          if (JSON.parse(Buffer.from(value).toString()).amount < 0) refuse('amount must not be negative');
        }
        for (const { key, value } of given) rows.set(key, Uint8Array.from(value));
      },
      deleteMany: async (keys) => keys.map((key) => rows.delete(key)),
    };
  }`;

const subjects: Record<string, OriginSubject> = {
  memory: { ...numbers, create: memoryOrigin },
  'a module': { ...numbers, create: mapOrigin },
  postgresTable: { ...numbers, create: () => columnsOrigin(fenced) },
  'postgresTable without a fence': { ...numbers, create: () => columnsOrigin(unfenced) },
  'postgresTable with a document': { ...numbers, create: documentOrigin },
  'postgresTable with tuples': { ...tuples, create: tuplesOrigin },
};

describe.each(Object.entries(subjects))('%s', (_, subject) => {
  for (const { name, check } of originLaws) test(name, () => check(subject));

  test('after close every call fails with ORIGIN_UNAVAILABLE', async () => {
    const origin = (await subject.create()) as Origin;
    await origin.close();
    const errors = [
      await failure(origin.loadMany([subject.key(1)], new AbortController().signal)),
      await failure(origin.writeMany([{ key: subject.key(1), value: subject.value(1) }])),
      await failure(origin.deleteMany([subject.key(1)])),
    ];
    expect(errors.map(({ code, outcome }) => `${code} ${outcome}`)).toEqual([
      'ORIGIN_UNAVAILABLE undefined',
      'ORIGIN_UNAVAILABLE not-applied',
      'ORIGIN_UNAVAILABLE not-applied',
    ]);
  });
});

describe('the suite itself', () => {
  const whole = memoryOrigin;
  const broken: Record<string, [Partial<Origin>, string]> = {
    'forgets the order': [
      { loadMany: async (keys) => whole().loadMany([...keys].reverse(), never) },
      'in the order of the keys',
    ],
    'throws at odd keys': [
      { loadMany: async (keys) => (keys.includes('abc') ? Promise.reject(new Error('no number')) : []) },
      'a key that no row can have is missing',
    ],
    'takes any row': [{ writeMany: async () => {} }, 'a write with a row that is refused'],
    'finds everything': [{ deleteMany: async (keys) => keys.map(() => true) }, 'a delete tells for each key'],
    'knows no bound': [{ callMsMax: Number.POSITIVE_INFINITY }, 'states how long a call can take'],
  };

  test.each(Object.entries(broken))('finds an origin that %s', async (_, [fault, name]) => {
    const law = originLaws.find((each) => each.name.includes(name)) as OriginLaw;
    const create = () => {
      const origin = whole();
      const rest = { callMsMax: 1, check: undefined, fence: undefined };
      return {
        ...rest,
        loadMany: origin.loadMany.bind(origin),
        writeMany: origin.writeMany.bind(origin),
        deleteMany: origin.deleteMany.bind(origin),
        ...fault,
      } as Origin;
    };
    await expect(law.check({ ...numbers, create })).rejects.toThrow();
  });
});

function memoryOrigin(): Origin {
  const isNumber = /^(0|[1-9]\d{0,5})$/;
  return new MemoryOrigin(({ key, value }) => {
    if (!isNumber.test(key)) return `the key '${key}' is not a whole number`;
    const { amount } = JSON.parse(Buffer.from(value).toString()) as { amount: number };
    return amount < 0 ? 'amount must not be negative' : undefined;
  });
}

async function mapOrigin(): Promise<Origin> {
  const module = { path: './map-origin.mjs', export: 'createMapOrigin', options: { callMsMax: 1000 } };
  const policy = resolveCachePolicy({ origin: { module } });
  return (await createOrigin(policy, new Map(), 'cache', { folder })) as Origin;
}

async function columnsOrigin(database: PostgresDatabase): Promise<Origin> {
  return tableOrigin(database, 'id integer PRIMARY KEY, amount integer CHECK (amount >= 0), note text', {
    key: 'id',
    columns: ['amount', 'note'],
  });
}

async function documentOrigin(): Promise<Origin> {
  const columns = `id integer PRIMARY KEY, doc jsonb NOT NULL CHECK ((doc ->> 'amount')::integer >= 0)`;
  return tableOrigin(fenced, columns, { key: 'id', value: 'doc' });
}

async function tuplesOrigin(): Promise<Origin> {
  const columns = 'shop text, id integer, amount integer CHECK (amount >= 0), note text, PRIMARY KEY (id, shop)';
  return tableOrigin(fenced, columns, { key: ['shop', 'id'], columns: ['amount', 'note'] });
}

async function tableOrigin(
  database: PostgresDatabase,
  columns: string,
  options: Omit<PostgresTableOptions, 'table'>,
): Promise<Origin> {
  const table = `things_${tables++}`;
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`CREATE TABLE ${table} (${columns})`);
  await client.end();
  return postgresTable(database, { table, ...options });
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

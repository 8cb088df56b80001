// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to environment variables are what is tested.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LarderError } from '@larder/proto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNodeConfig, resolveNodeConfig } from './config.js';
import { ExitCode } from './exit-code.js';

const MEBIBYTE = 1024 ** 2;
const table = { postgresTable: { table: 'cities', key: 'id' } };
const database = { url: 'postgres://larder@localhost/larder' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'larder-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The lines of the error, without the one that names the file. */
function problems(config: unknown): string[] {
  const error = fault(() => resolveNodeConfig(config, 'larder.yaml'));
  expect(error.details?.exitCode).toBe(ExitCode.config);
  expect(error.message).toContain('config file larder.yaml');
  return error.message.includes('\n')
    ? error.message.split('\n  ').slice(1)
    : [error.message.replace('CONFIG: config file larder.yaml: ', '')];
}

function fault(run: () => unknown): LarderError {
  try {
    run();
  } catch (error) {
    if (error instanceof LarderError) return error;
    throw error;
  }
  throw new Error('no fault was found');
}

describe('a config', () => {
  test('needs nothing but a cache: everything else has its default', () => {
    const config = resolveNodeConfig({ caches: { sessions: {} } }, 'larder.yaml');
    expect(config).toMatchObject({
      memoryBytesMax: 512 * MEBIBYTE,
      valueBytesMax: 8 * MEBIBYTE,
      sessionsMax: 1024,
      transferBytesMax: 128 * MEBIBYTE,
      logLevel: 'info',
      drainTimeoutMs: 10_000,
    });
    expect(config.databases.size).toBe(0);
    expect(config.caches.get('sessions')).toMatchObject({ read: 'aside', write: 'memory', eviction: 'adaptive' });
  });

  test('gives caches that name no memory equal parts of what the others leave', () => {
    const { caches } = resolveNodeConfig({ memory: '100MiB', caches: { a: {}, b: { memory: '40MiB' }, c: {} } }, 'f');
    expect([...caches.values()].map((cache) => cache.memoryBytesMax / MEBIBYTE)).toEqual([30, 40, 30]);
  });

  test('keeps caches in the order of the file, which numbers them', () => {
    const { caches } = resolveNodeConfig({ caches: { z: {}, a: {}, m: {} } }, 'f');
    expect([...caches.keys()]).toEqual(['z', 'a', 'm']);
  });

  test('names one database, or several', () => {
    const one = resolveNodeConfig({ database, caches: { a: { origin: table } } }, 'f');
    expect(one.databases.get('default')).toMatchObject({ url: database.url, poolSize: 10 });
    const in2 = { postgresTable: { ...table.postgresTable, database: 'two' } };
    const several = resolveNodeConfig(
      { databases: { one: database, two: database }, caches: { a: { origin: in2 } } },
      'f',
    );
    expect([...several.databases.keys()]).toEqual(['one', 'two']);
  });
});

describe('a mistake is told with its path, the value given and what is allowed', () => {
  test.each([
    [{ caches: { c: { ttl: 'soon' } } }, 'caches.c.ttl: "soon" given; allowed: milliseconds as a number'],
    [{ caches: { c: { tll: '5s' } } }, 'caches.c.tll: unknown key; did you mean "ttl"?; allowed: read, write, origin'],
    [{ cache: {}, caches: { c: {} } }, 'cache: unknown key; did you mean "caches"?'],
    [{ limits: { valueBytes: 1 }, caches: { c: {} } }, 'limits.valueBytes: unknown key; did you mean "valueBytesMax"?'],
    [{ memory: '512MB', caches: { c: {} } }, 'memory: "512MB" given; allowed: bytes as a whole number'],
    [{ memory: '9GiB', caches: { c: {} } }, 'memory: "9GiB" given; allowed: bytes as a whole number'],
    [{ limits: { sessionsMax: 0 }, caches: { c: {} } }, 'limits.sessionsMax: 0 given; allowed: a whole number from 1'],
    [{ limits: { valueBytesMax: '65MiB' }, caches: { c: {} } }, 'limits.valueBytesMax: "65MiB" given'],
    [
      { limits: { valueBytesMax: '4MiB', transferBytesMax: '2MiB' }, caches: { c: {} } },
      'limits.transferBytesMax: "2MiB" given; allowed: at least limits.valueBytesMax',
    ],
    [{ logLevel: 'verbose', caches: { c: {} } }, "logLevel: \"verbose\" given; allowed: 'trace', 'debug', 'info'"],
    [{ caches: {} }, 'caches: 0 caches given; allowed: 1 to 4096'],
    [{}, 'caches: nothing given; allowed: caches by name'],
    [[], 'the file: [] given; allowed: an object of settings'],
    [null, 'the file: null given; allowed: an object of settings'],
    [{ caches: { '1st': {} } }, 'caches: the name "1st" given; allowed: a letter, then letters'],
    [
      { caches: { c: { read: 'trough', origin: table } }, database },
      "caches.c.read: \"trough\" given; allowed: 'through', 'aside'",
    ],
    [
      { caches: { c: { read: 'through' } } },
      'caches.c.read: "through" given; allowed: \'aside\', because the cache has no origin',
    ],
    [
      { caches: { c: { origin: table } } },
      'caches.c.origin.postgresTable.database: nothing given; allowed: a database; declare one under database',
    ],
    [
      { database, databases: { d: database }, caches: { c: {} } },
      'database: given beside databases; allowed: one of the two',
    ],
    [
      { databases: { one: database, two: database }, caches: { c: { origin: table } } },
      'caches.c.origin.postgresTable.database: nothing given; allowed: one, two',
    ],
    [
      {
        databases: { one: database },
        caches: { c: { origin: { postgresTable: { ...table.postgresTable, database: 'tow' } } } },
      },
      'caches.c.origin.postgresTable.database: "tow" given; allowed: one',
    ],
  ])('%j', (config, message) => {
    const found = problems(config);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });

  test('a password is not shown', () => {
    const [problem] = problems({ database: { url: 'mysql://larder:s3cr:e@t@db/larder' }, caches: { c: {} } });
    expect(problem).toContain('database.url: "mysql://larder:***@db/larder" given');
    expect(problem).not.toContain('s3cr');
  });

  test('memory that the caches do not fit is told with both sums', () => {
    expect(problems({ memory: '10MiB', caches: { a: { memory: '8MiB' }, b: { memory: '4MiB' } } })).toEqual([
      "memory: 10485760 bytes, but the caches' own memory adds up to 12582912; allowed: what they need, or more",
    ]);
    expect(problems({ memory: '10MiB', caches: { a: { memory: '9728KiB' }, b: {} } })[0]).toContain(
      "the caches' own memory adds up to 9961472 and 1 more need 1048576 bytes each at least",
    );
  });

  test('all mistakes are told at once', () => {
    const found = problems({
      memory: 'x',
      logLevel: 1,
      caches: { a: { ttl: -1, evictoin: 'lru' }, b: { memory: '1' } },
    });
    expect(found.map((problem) => problem.split(':')[0])).toEqual([
      'memory',
      'logLevel',
      'caches.a.ttl',
      'caches.a.evictoin',
      'caches.b.memory',
    ]);
  });
});

describe('a file', () => {
  const read = (path: string, environment = {}) => readNodeConfig(path, environment);
  const refused = async (path: string, environment = {}): Promise<LarderError> =>
    read(path, environment).then(
      () => expect.fail('the file was accepted'),
      (error: LarderError) => error,
    );

  test('may be YAML, with values from the environment', async () => {
    const path = file(
      'a.yaml',
      'memory: ${MEMORY:-64MiB}\ndatabase:\n  url: ${URL}\n  poolSize: ${POOL}\ncaches: { c: {} }',
    );
    const config = await read(path, { URL: database.url, POOL: '7' });
    expect(config.memoryBytesMax).toBe(64 * MEBIBYTE);
    expect(config.databases.get('default')).toMatchObject({ url: database.url, poolSize: 7 });
  });

  test('may be a JavaScript module with a default export', async () => {
    const path = file('b.mjs', 'export default { memory: 64 * 1024 * 1024, caches: { c: { ttl: 5000 } } };');
    expect((await read(path)).caches.get('c')).toMatchObject({ ttlMs: 5000 });
  });

  test('that is not there ends with exit code 66', async () => {
    const error = await refused(join(folder, 'none.yaml'));
    expect(error.message).toBe(`CONFIG: config file ${join(folder, 'none.yaml')}: there is no such file`);
    expect(error.details?.exitCode).toBe(ExitCode.noConfigFile);
  });

  test('that is a folder ends with exit code 66', async () => {
    mkdirSync(join(folder, 'folder.yaml'));
    const error = await refused(join(folder, 'folder.yaml'));
    expect(error.message).toContain('folder.yaml: cannot be read (EISDIR)');
    expect(error.details?.exitCode).toBe(ExitCode.noConfigFile);
  });

  test.each([
    ['c.json', '{}', 'must end in .yaml, .yml, .js or .mjs'],
    ['d.yaml', 'caches: {c: [}', 'not valid YAML'],
    ['e.yaml', 'caches: {c: {}}\ncaches: {d: {}}', 'Map keys must be unique'],
    ['f.mjs', 'export const config = {};', 'has no default export'],
    ['g.mjs', 'throw new Error("no luck");', 'cannot be run: no luck'],
    ['h.mjs', 'export default {', 'cannot be run: '],
    [
      'i.yaml',
      'database: { url: "${NOT_SET}" }',
      'database.url: environment variable NOT_SET is not set; set it, or write ${NOT_SET:-default}',
    ],
    ['j.yaml', '', 'the file: null given; allowed: an object of settings'],
    [
      'k.yaml',
      'a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]',
      'not valid YAML: Excessive alias count',
    ],
  ])('%s with a fault is refused with exit code 78', async (name, text, message) => {
    const path = file(name, text);
    const error = await refused(path);
    expect(error.message).toContain(`config file ${path}`);
    expect(error.message).toContain(message);
    expect(error.details?.exitCode).toBe(ExitCode.config);
  });
});

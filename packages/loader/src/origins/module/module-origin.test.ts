import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@larder/base';
import { LarderError } from '@larder/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Origin } from '../origin.js';
import { moduleOrigin } from './module-origin.js';
import type { ModuleOriginOptions } from './module-origin-options.js';

const never = new AbortController().signal;
const PATH = 'caches.x.origin.module';
let folder: string;
let clock: ManualClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larder-module-'));
  clock = new ManualClock();
});

afterEach(() => rm(folder, { recursive: true }));

/** The origin of a module with that source. */
async function open(source: string, options: Partial<ModuleOriginOptions> = {}, isWritten = true): Promise<Origin> {
  await writeFile(join(folder, 'origin.mjs'), source);
  const setting = { cache: 'x', folder, clock, isWritten, path: PATH };
  return moduleOrigin({ path: './origin.mjs', ...options }, setting);
}

async function failure(call: Promise<unknown>): Promise<LarderError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LarderError) return error;
  throw new Error(`expected a LarderError, got ${String(error)}`);
}

const WHOLE = `
  const rows = new Map();
  callMsMax: 100,
  loadMany: async (keys) => keys.map((key) => rows.get(key)),
  writeMany: async (given) => given.forEach(({ key, value }) => rows.set(key, Uint8Array.from(value))),
  deleteMany: async (keys) => keys.map((key) => rows.delete(key)),
`;
const [ROWS, METHODS] = WHOLE.split(';\n') as [string, string];

describe('a module', () => {
  test('exports an origin', async () => {
    const origin = await open(`${ROWS}; export default { ${METHODS} }`);
    await origin.writeMany([{ key: 'a', value: Buffer.from('1') }]);
    expect(await origin.loadMany(['a', 'b'], never)).toEqual([Uint8Array.of(49), undefined]);
    expect([await origin.deleteMany(['a', 'b']), origin.callMsMax, origin.fence]).toEqual([
      [true, false],
      100,
      undefined,
    ]);
    await origin.close();
  });

  test('exports a function, under whatever name, which gets its options and makes one', async () => {
    const source = `${ROWS};
      export const create = async (context) => ({ ${METHODS} callMsMax: context.options.ms, about: context,
        loadMany: async () => [Buffer.from(JSON.stringify(context))] })`;
    const origin = await open(source, { export: 'create', options: { ms: 7 } });
    expect(origin.callMsMax).toBe(7);
    const [value] = await origin.loadMany(['a'], never);
    expect(JSON.parse(String(value))).toEqual({ cache: 'x', options: { ms: 7 }, isWritten: true });
  });

  test('may be a class instance, whose methods know it', async () => {
    const origin = await open(`
      class Origin {
        callMsMax = 5; #rows = new Map([['a', Buffer.from('1')]]);
        async loadMany(keys) { return keys.map((key) => this.#rows.get(key)); }
        async writeMany(rows) { for (const { key, value } of rows) this.#rows.set(key, value); }
        async deleteMany(keys) { return keys.map((key) => this.#rows.delete(key)); }
        check(key) { return this.#rows.has(key) ? undefined : Object.assign(new Error('unknown'), { code: 'BAD_ARGUMENT' }); }
        async close() { this.#rows.clear(); }
      }
      export default new Origin()`);
    await origin.writeMany([{ key: 'b', value: Buffer.from('2') }]);
    expect((await origin.loadMany(['a', 'b'], never)).map(String)).toEqual(['1', '2']);
    expect(await origin.deleteMany(['b'])).toEqual([true]);
    const faults = [origin.check?.('a', Buffer.from('')), origin.check?.('z', Buffer.from(''))];
    expect(faults.map((fault) => fault && `${fault.message} ${fault.outcome}`)).toEqual([
      undefined,
      'BAD_ARGUMENT: unknown not-applied',
    ]);
    await origin.close();
    expect((await failure(origin.loadMany(['a'], never))).code).toBe('ORIGIN_UNAVAILABLE');
  });

  test('of a cache that only reads needs loadMany alone; writes are READ_ONLY', async () => {
    const source = `export default { callMsMax: 5, loadMany: async (keys) => keys.map(() => undefined) }`;
    const origin = await open(source, {}, false);
    const row = { key: 'a', value: Buffer.from('1') };
    expect(origin.check?.('a', row.value)?.code).toBe('READ_ONLY');
    expect((await failure(origin.writeMany([row]))).code).toBe('READ_ONLY');
    expect((await failure(origin.deleteMany(['a']))).code).toBe('READ_ONLY');
    await origin.close();
  });

  test.each<[string, Partial<ModuleOriginOptions>, string]>([
    ['', {}, `export: "default" given; allowed: something that the module ./origin.mjs exports`],
    [
      'export default 7',
      {},
      `path: "./origin.mjs" given; allowed: a module whose 'default' is an origin; it is a number`,
    ],
    ['export default null', {}, "a module whose 'default' is an origin; it is null"],
    ['export default {}', {}, 'its loadMany is not a function'],
    ['export default { loadMany() {} }', {}, 'its writeMany is not a function'],
    [
      'export default () => ({ loadMany() {}, writeMany() {}, deleteMany() {}, check: 1 })',
      {},
      'its check is not a function',
    ],
    [
      'export default { loadMany() {}, writeMany() {}, deleteMany() {} }',
      {},
      'its callMsMax is undefined, not a number of',
    ],
    [
      'export default { loadMany() {}, writeMany() {}, deleteMany() {}, callMsMax: 1, fence: {} }',
      {},
      'its fence has no function raise',
    ],
    [
      'export default () => { throw new Error("no token") }',
      {},
      'a module whose function makes an origin; it threw: no token',
    ],
    ['export defolt', {}, 'path: "./origin.mjs" given; allowed: a JavaScript module that can be imported; '],
    [
      '',
      { path: './nowhere.mjs' },
      'path: "./nowhere.mjs" given; allowed: a JavaScript module that can be imported; Cannot find',
    ],
    [
      '',
      { path: 'no-such-package' },
      'path: "no-such-package" given; allowed: a JavaScript module that can be imported; Cannot',
    ],
  ])('that does not do, %s %j, is a CONFIG error', async (source, options, message) => {
    const error = await failure(open(source, options));
    expect(error.code).toBe('CONFIG');
    expect(error.reason).toContain(`${PATH}.`);
    expect(error.reason).toContain(message);
    expect(error.reason).not.toContain('\n');
  });

  test('whose function says ORIGIN_UNAVAILABLE may be asked again', async () => {
    const source = `export default () => { throw Object.assign(new Error('not yet'), { code: 'ORIGIN_UNAVAILABLE' }) }`;
    const thrown = await open(source).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'ORIGIN_UNAVAILABLE' });
  });
});

describe('a call', () => {
  const withCalls = (loadMany: string, writeMany = loadMany, deleteMany = loadMany) =>
    open(
      `export default { callMsMax: 100, loadMany: ${loadMany}, writeMany: ${writeMany}, deleteMany: ${deleteMany} }`,
    );

  const outcomes = async (origin: Origin): Promise<string[]> => {
    const calls = [
      origin.loadMany(['a'], never),
      origin.writeMany([{ key: 'a', value: Buffer.from('1') }]),
      origin.deleteMany(['a']),
    ];
    const errors = await Promise.all(calls.map(failure));
    return errors.map(({ code, outcome }) => `${code} ${outcome}`);
  };

  test('that does not end is given up at callMsMax', async () => {
    const origin = await withCalls('() => new Promise(() => {})');
    const ended = outcomes(origin);
    clock.advance(100);
    expect(await ended).toEqual([
      'ORIGIN_UNAVAILABLE undefined',
      'ORIGIN_UNAVAILABLE unknown',
      'ORIGIN_UNAVAILABLE unknown',
    ]);
  });

  test('that throws anything is ORIGIN_UNAVAILABLE, and nobody knows what a write has done', async () => {
    for (const thrown of ['new Error("boom")', '"boom"', 'undefined', '{ code: "ENOENT" }']) {
      expect(await outcomes(await withCalls(`() => { throw ${thrown} }`))).toEqual([
        'ORIGIN_UNAVAILABLE undefined',
        'ORIGIN_UNAVAILABLE unknown',
        'ORIGIN_UNAVAILABLE unknown',
      ]);
    }
  });

  test('that throws an error with a code of origins keeps code, outcome and details', async () => {
    const thrown = `Object.assign(new Error('ORIGIN: no'), { code: 'ORIGIN', outcome: 'not-applied', details: { blames: 'row' } })`;
    const error = await failure((await withCalls(`async () => { throw ${thrown} }`)).writeMany([]));
    expect([error.message, error.outcome, error.details]).toEqual(['ORIGIN: no', 'not-applied', { blames: 'row' }]);
  });

  test.each(['async () => []', 'async () => ["text"]', 'async () => undefined', '() => 7', 'async () => [{}]'])(
    'that answers with something else, %s, is ORIGIN_UNAVAILABLE',
    async (source) => {
      const origin = await withCalls(source, 'async () => {}');
      const load = await failure(origin.loadMany(['a'], never));
      expect(load.message).toContain('did not answer with an array of 1 items, each a Uint8Array or undefined');
      const remove = await failure(origin.deleteMany(['a']));
      expect([remove.outcome, remove.message]).toEqual(['unknown', expect.stringContaining('an array of 1 booleans')]);
    },
  );
});

import { connect, LarderError } from '@larder/client';
import pg from 'pg';
import type { CallersOrder, CallersReport, CallersSetting } from './callers.js';
import { LOAD } from './count-queries.js';

/** A process of callers; ends when its parent closes the channel. */
const setting = JSON.parse(process.argv[2] ?? '') as CallersSetting;
const larder = await connect({ endpoints: setting.endpoints, timeout: '60s' });
/** More than one connection: whoever loads may be asked to load once more, by the owner that comes after a killed one. */
const database = new pg.Pool({ connectionString: setting.url, max: 4 });
database.on('error', () => {});
await database.query('SELECT 1');
const throughCache = larder.cache<{ name: string }>('through');
const asideCache = larder.cache<{ name: string }>('aside');

async function load(id: number): Promise<{ name: string }> {
  const { rows } = await database.query<{ name: string }>(LOAD, [id]);
  return rows[0] as { name: string };
}

async function ask({ way, key, calls }: CallersOrder): Promise<CallersReport> {
  const startMs = performance.now();
  const results: Record<string, number> = {};
  let slowestMs = 0;
  const one = async (): Promise<void> => {
    const value = way === 'readThrough' ? throughCache.get(key) : asideCache.getOrSet(key, () => load(key));
    const result = await value.then((row) => row?.name ?? 'nothing', codeOf);
    results[result] = (results[result] ?? 0) + 1;
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  };
  await Promise.all(Array.from({ length: calls }, one));
  return { results, slowestMs: Math.round(slowestMs) };
}

function codeOf(error: unknown): string {
  return error instanceof LarderError ? error.code : String(error);
}

process.on('message', (order: CallersOrder) => {
  void ask(order).then((report) => process.connected && process.send?.(report));
});
process.once('disconnect', () => void Promise.all([larder.close(), database.end()]));
process.send?.('ready');

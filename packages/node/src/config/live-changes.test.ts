import { LarderError } from '@larder/proto';
import { expect, test } from 'vitest';
import { type NodeConfig, resolveNodeConfig } from '../config.js';
import { liveChanges } from './live-changes.js';

const origin = { postgresTable: { table: 'cities', key: 'id' } };
const RUNNING: NodeConfig = {
  memory: '64MiB',
  database: { url: 'postgres://ann:secret@db/x' },
  caches: { cities: { origin }, sessions: { ttl: '30m' }, events: { origin, write: 'memory' } },
};
const resolved = (config: NodeConfig) => resolveNodeConfig(config, 'larder.yaml');

/** The caches that change, or the settings that cannot. */
function changes(edited: NodeConfig): string[] {
  try {
    return [...liveChanges(resolved(RUNNING), resolved(edited)).policies.keys()];
  } catch (error) {
    if (!(error instanceof LarderError) || error.code !== 'CONFIG') throw error;
    expect(error.message).not.toContain('secret');
    return [...error.message.matchAll(/(?:larder\.yaml: |\n {2})(.*?): changed; allowed: as it was/g)].map(
      ([, path]) => path!,
    );
  }
}

const withCaches = (caches: NodeConfig['caches']): NodeConfig => ({
  ...RUNNING,
  caches: { ...RUNNING.caches, ...caches },
});

test('policies change, and only those that are not as they were', () => {
  expect(changes(RUNNING)).toEqual([]);
  expect(changes(withCaches({ cities: { origin, write: 'behind', read: 'aside', ttl: '1h' } }))).toEqual(['cities']);
  expect(changes(withCaches({ sessions: { ttl: '10m' }, cities: { origin, writes: { maxBatch: 5 } } }))).toEqual([
    'cities',
    'sessions',
  ]);
});

test.each<[NodeConfig, string[]]>([
  [
    { ...RUNNING, memory: '128MiB' },
    ['memory', 'caches.cities.memory', 'caches.sessions.memory', 'caches.events.memory'],
  ],
  [{ ...RUNNING, drainTimeout: '1s', logLevel: 'debug' }, ['logLevel', 'drainTimeout']],
  [{ ...RUNNING, limits: { sessionsMax: 5 }, cluster: { copies: 1 } }, ['limits.sessionsMax', 'cluster.copies']],
  [{ ...RUNNING, database: { url: 'postgres://ann:secret@db/y' } }, ['databases']],
  [
    { ...RUNNING, caches: { sessions: {}, cities: { origin }, events: { origin, write: 'memory' } } },
    ['caches: their names or order'],
  ],
  [withCaches({ more: {}, cities: { origin, memory: '1MiB' } }), ['caches: their names or order']],
  [
    withCaches({ cities: { origin: { postgresTable: { table: 'towns', key: 'id' } }, eviction: 'lru' } }),
    ['caches.cities.origin', 'caches.cities.eviction'],
  ],
])('what only a restart can change is refused as a whole: %j', (edited, expected) => {
  expect(changes(edited)).toEqual(expected);
});

import { ManualClock, seededRandom } from '@larder/base';
import { Loader, resolveCachePolicy } from '@larder/loader';
import { packageDefinition } from '@larder/proto';
import { expect, test } from 'vitest';
import { LoneMemory } from '../partitions/lone-memory.js';
import { createStorage } from '../storage/create-storage.js';
import { cacheStatistics } from './cache-statistics.js';

/** As a reader of the wire would name them. */
function fieldsOf(message: string): string[] {
  const { type } = packageDefinition[`larder.v1.${message}`] as unknown as {
    type: { field: { jsonName: string; name: string }[] };
  };
  return type.field.map(({ name }) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
}

test('whatever is counted is on the wire, and nothing else', () => {
  const clock = new ManualClock();
  const policy = resolveCachePolicy({}, 'caches.plain');
  const caches = [{ cache: 0, memoryBytesMax: 1024 ** 2, eviction: 'lru' as const }];
  const storage = createStorage({ memoryBytesMax: 4 * 1024 ** 2, valueBytesMax: 1024, caches }, clock, seededRandom(1));
  const memory = new LoneMemory(0, storage);
  const loader = new Loader({ name: 'plain', policy, memory, origin: undefined, clock, random: seededRandom(1) });
  const statistics = cacheStatistics({ id: 0, name: 'plain', loader, memory }, storage);
  expect(Object.keys(statistics).sort()).toEqual(fieldsOf('CacheStatistics').sort());
});

import { seededRandom } from '@larder/base';

/**
 * What is loaded: keys of 20 bytes and
 *
 *   fixed   values of 100 bytes
 *   ttl     the same, each with a life of an hour
 *   zipf    values of 20 to 4,000 bytes; a size is as frequent as it is small (mean about 750)
 */
export const DATA_NAMES = ['fixed', 'ttl', 'zipf'] as const;
export type DataName = (typeof DATA_NAMES)[number];

const VALUE_BYTES = 100;
const ZIPF_BYTES_MIN = 20;
const ZIPF_BYTES_MAX = 4_000;
const TTL_SECONDS = 3_600;

export interface DataSet {
  readonly ttlSeconds: number | undefined;
  key(index: number): string;
  /** The same for the same index. */
  value(index: number): Buffer;
}

export function dataSet(name: DataName, entries: number): DataSet {
  const bytes = Buffer.alloc(ZIPF_BYTES_MAX * 2);
  const random = seededRandom(1);
  for (let index = 0; index < bytes.length; index++) bytes[index] = random.uint32();
  const sizes = new Uint16Array(entries);
  for (let index = 0; index < entries; index++) sizes[index] = name === 'zipf' ? zipfBytes(random.next()) : VALUE_BYTES;
  return {
    ttlSeconds: name === 'ttl' ? TTL_SECONDS : undefined,
    key: (index) => `key:${String(index).padStart(16, '0')}`,
    value: (index) => bytes.subarray(index % ZIPF_BYTES_MAX, (index % ZIPF_BYTES_MAX) + sizes[index]!),
  };
}

function zipfBytes(chance: number): number {
  return Math.round(ZIPF_BYTES_MIN * (ZIPF_BYTES_MAX / ZIPF_BYTES_MIN) ** chance);
}

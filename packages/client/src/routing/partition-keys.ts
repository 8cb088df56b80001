import { PARTITION_COUNT, partitionOf } from '@larder/proto';

let keys: readonly string[] | undefined;

/** A key of that partition: what is about a partition and not about a key is routed by it. */
export function keyOfPartition(partition: number): string {
  keys ??= findKeys();
  return keys[partition]!;
}

/** Takes some thousand hashes, once in the life of a process. */
function findKeys(): string[] {
  const found: string[] = new Array(PARTITION_COUNT).fill('');
  for (let number = 0, left = PARTITION_COUNT; left > 0; number++) {
    const key = String(number);
    const bytes = Buffer.from(key);
    const partition = partitionOf(bytes, 0, bytes.length);
    if (found[partition] !== '') continue;
    found[partition] = key;
    left--;
  }
  return found;
}

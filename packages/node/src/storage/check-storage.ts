import { assert } from '@larder/base';
import { PARTITION_COUNT } from '@larder/proto';
import { ARENA_START } from './arena.js';
import { isLive, KIND_CHUNK, KIND_FIXED, kindOf, PREVIOUS_FREE } from './block.js';
import type { StorageEngine } from './storage-engine.js';

/**
 * Walks the whole storage and fails if anything disagrees: the row of blocks, the index, the accounts. For tests: it
 * takes time in proportion to what is stored.
 */
export function checkStorage(engine: StorageEngine): void {
  const records = checkBlocks(engine);
  const indexed = checkIndex(engine);
  assert(records === indexed, 'as many records in the arena as in the index');
  checkAccounts(engine);
  assert(engine.memoryBytes <= engine.memoryBytesMax, 'memory within its bound');
}

/** Returns the number of records. */
function checkBlocks(engine: StorageEngine): number {
  const { arena, residents } = engine;
  const { words } = arena;
  let records = 0;
  let liveWords = 0;
  let previousFree = false;
  let handSeen = arena.hand === arena.top;
  let address = ARENA_START;
  while (address < arena.top) {
    handSeen ||= address === arena.hand;
    const header = words[address]!;
    if (isLive(header)) {
      const size = residents.blockWords(address);
      assert(((header & PREVIOUS_FREE) !== 0) === previousFree, 'a block knows whether the one before it is free');
      const kind = kindOf(header);
      if (kind !== KIND_FIXED && kind !== KIND_CHUNK) records++;
      liveWords += size;
      address += size;
      previousFree = false;
    } else {
      assert(!previousFree, 'free neighbours are one block');
      assert(words[address + header - 1] === header, 'a free block ends with its size');
      address += header;
      previousFree = true;
    }
  }
  assert(address === arena.top, 'the blocks add up to the arena');
  assert(!previousFree || arena.top === ARENA_START, 'the block before the top is live');
  assert(liveWords === arena.liveWords, 'live words are counted right');
  assert(handSeen, 'the hand of the evacuation stands on a block');
  return records;
}

/** Returns the number of entries. */
function checkIndex(engine: StorageEngine): number {
  const { index, residents } = engine;
  let entries = 0;
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    let inPartition = 0;
    let tag = 0;
    for (let slot = index.slotFrom(partition, 0); slot !== 0; slot = index.slotBehind(partition, slot)) {
      assert(index.tag(slot) >= tag, 'slots are in the order of their tags');
      tag = index.tag(slot);
      assert(residents.slotOf(index.ref(slot)) === slot, 'a record is found by its key');
      assert(residents.partition === partition, 'a record is in the partition of its key');
      inPartition++;
    }
    assert(inPartition === index.entries(partition), 'the entries of a partition are counted right');
    entries += inPartition;
  }
  return entries;
}

function checkAccounts(engine: StorageEngine): void {
  const { index, residents } = engine;
  const sums = new Map(residents.spaces.map((space) => [space.id, { entries: 0, bytes: 0, pinned: 0 }]));
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    for (let slot = index.slotFrom(partition, 0); slot !== 0; slot = index.slotBehind(partition, slot)) {
      const ref = index.ref(slot);
      const sum = sums.get(engine.cacheOf(ref))!;
      const charge = residents.space(engine.cacheOf(ref)).charge(residents.entryWords(ref));
      sum.entries++;
      sum.bytes += charge;
      if (residents.isAside(ref)) sum.pinned += charge;
      checkSide(engine, partition, ref);
    }
  }
  for (const space of residents.spaces) {
    const sum = sums.get(space.id)!;
    assert(space.entries === sum.entries, 'entries of a cache are counted right');
    assert(space.entryBytes === sum.bytes, 'bytes of a cache are counted right');
    assert(space.pinnedBytes === sum.pinned, 'pinned bytes of a cache are counted right');
    assert(space.bytes <= space.memoryBytesMax, 'a cache is within its bound');
  }
}

/** Changes of partitions may still have to be carried out; a dirty entry is set aside at once. */
function checkSide({ residents, states, changes }: StorageEngine, partition: number, ref: number): void {
  const isAside = residents.isAside(ref);
  if (residents.isDirty(ref)) assert(isAside, 'a dirty entry is in no policy');
  else if (!changes.isPending)
    assert(isAside !== states.isOwned(partition), 'entries of owned partitions are in policies');
}

import { EntryFlag } from '@larder/loader';
import type { KeySlice } from '@larder/proto';
import type { Storage } from '../storage/storage.js';

/** The origin has this version: an entry of that very version is dirty no more, and a tombstone of it goes. */
export function cleanEntry(storage: Storage, cache: number, key: KeySlice, epoch: number, seq: number): void {
  const ref = storage.peek(cache, key);
  if (ref === 0 || storage.epoch(ref) !== epoch || storage.seq(ref) !== seq) return;
  const flags = storage.flags(ref);
  if ((flags & EntryFlag.tombstone) !== 0) storage.remove(cache, key);
  else storage.setFlags(ref, flags & ~EntryFlag.dirty);
}

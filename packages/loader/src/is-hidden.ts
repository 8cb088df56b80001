import { EntryFlag, type EntryMemory, type EntryRef } from './entry-memory.js';

const HIDDEN = EntryFlag.tombstone | EntryFlag.negative;

/** Whether readers see no entry: it is a pending delete, or says that the origin has no such row. */
export function isHidden(flags: number): boolean {
  return (flags & HIDDEN) !== 0;
}

/** Whether its life is over, and it is only kept for when the origin fails. */
export function isOver(memory: EntryMemory, ref: EntryRef): boolean {
  return memory.graceMs !== 0 && memory.remainingMs(ref) === 0;
}

/** Whether readers see an entry. 0: they do not. */
export function isSeen(memory: EntryMemory, ref: EntryRef): boolean {
  return ref !== 0 && !isHidden(memory.flags(ref)) && !isOver(memory, ref);
}

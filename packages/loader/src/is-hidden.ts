import { EntryFlag } from './entry-memory.js';

const HIDDEN = EntryFlag.tombstone | EntryFlag.negative;

/** Whether readers see no entry: it is a pending delete, or says that the origin has no such row. */
export function isHidden(flags: number): boolean {
  return (flags & HIDDEN) !== 0;
}

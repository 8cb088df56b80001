export { EntryFlag, type EntryMemory, type EntryRef, PutResult } from './entry-memory.js';
export type { Reply } from './reply.js';

import type { Arena } from './arena.js';
import { chunkHeader, chunkWords, fixedWords, PREVIOUS_FREE } from './block.js';
import { CHUNK_BYTES, type Records } from './record.js';

/**
 * A large value lies in chunks of 16 KiB, the last one shorter, and its record ends with their addresses:
 *
 *   word 0   block bits, size       word 1   address of the record       word 2   number of the chunk       then bytes
 *
 * So no value needs more than 16 KiB in one piece, any part of it is found in one step, and a chunk that moves knows
 * the one word that has to follow.
 */
const HEAD = 1;
const NUMBER = 2;
const HEADER_WORDS = 3;

export function chunkCount(valueBytes: number): number {
  return valueBytes > CHUNK_BYTES ? Math.ceil(valueBytes / CHUNK_BYTES) : 0;
}

/** Words that the chunks of a value take, without slack. */
export function wordsOfChunks(valueBytes: number): number {
  const count = chunkCount(valueBytes);
  if (count === 0) return 0;
  return count * HEADER_WORDS + (count - 1) * (CHUNK_BYTES / 4) + wordsOfBytes(valueBytes - (count - 1) * CHUNK_BYTES);
}

export class Chunks {
  constructor(
    readonly arena: Arena,
    readonly records: Records,
  ) {}

  /** Words that chunk `number` of a value takes. */
  wordsFor(valueBytes: number, number: number): number {
    return HEADER_WORDS + wordsOfBytes(Math.min(CHUNK_BYTES, valueBytes - number * CHUNK_BYTES));
  }

  /** Words that a chunk's block must have. */
  neededWords(address: number): number {
    const { words } = this.arena;
    return this.wordsFor(this.records.valueBytes(words[address + HEAD]), words[address + NUMBER]);
  }

  /** Turns a block under construction into chunk `number` of the record and fills it from the whole value. */
  write(address: number, ref: number, number: number, value: Uint8Array, start: number, end: number): void {
    const { words } = this.arena;
    words[address] = chunkHeader(fixedWords(words[address])) | (words[address] & PREVIOUS_FREE);
    words[address + HEAD] = ref;
    words[address + NUMBER] = number;
    words[this.records.chunkTable(ref) + number] = address;
    const from = start + number * CHUNK_BYTES;
    this.records.copier.copyIn(address + HEADER_WORDS, 0, value, from, Math.min(from + CHUNK_BYTES, end));
  }

  copyValue(ref: number, from: number, to: number, target: Uint8Array, at: number): void {
    const { words } = this.arena;
    const table = this.records.chunkTable(ref);
    for (let position = from; position < to; ) {
      const number = Math.floor(position / CHUNK_BYTES);
      const first = number * CHUNK_BYTES;
      const end = Math.min(to, first + CHUNK_BYTES);
      const address = words[table + number] + HEADER_WORDS;
      this.records.copier.copyOut(address, position - first, end - first, target, at + position - from);
      position = end;
    }
  }

  recordOf(address: number): number {
    return this.arena.words[address + HEAD];
  }

  free(ref: number): void {
    const { words } = this.arena;
    const table = this.records.chunkTable(ref);
    const count = chunkCount(this.records.valueBytes(ref));
    for (let number = 0; number < count; number++) {
      const address = words[table + number];
      this.arena.free(address, chunkWords(words[address]));
    }
  }

  /** The record has moved. */
  followRecord(ref: number): void {
    const { words } = this.arena;
    const table = this.records.chunkTable(ref);
    const count = chunkCount(this.records.valueBytes(ref));
    for (let number = 0; number < count; number++) words[words[table + number] + HEAD] = ref;
  }

  /** The chunk has moved here. */
  followChunk(address: number): void {
    const { words } = this.arena;
    words[this.records.chunkTable(words[address + HEAD]) + words[address + NUMBER]] = address;
  }
}

function wordsOfBytes(bytes: number): number {
  return (bytes + 3) >>> 2;
}

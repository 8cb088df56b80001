import { type KeySlice, LarderError } from '@larder/proto';
import { PutResult, RequestResult } from '../entry-memory.js';
import { isSeen } from '../is-hidden.js';
import type { Reply } from '../reply.js';
import type { StrategyContext, WriteStrategy } from './strategy.js';

/** Writes stay in memory: caches without an origin, and overrides of what an origin says. Answers within the call. */
export class WriteMemory implements WriteStrategy {
  readonly pendingWrites = 0;
  readonly oldestPendingMs = 0;
  readonly refusedRows = 0;

  constructor(readonly context: StrategyContext) {}

  set(key: KeySlice, value: Uint8Array, start: number, end: number, ttlMs: number, reply: Reply): void {
    const { memory, life, flights } = this.context;
    const result = memory.put(key, value, start, end, life.lifeMs(ttlMs), 0);
    if (result !== PutResult.stored) {
      reply.failed(notStored(this.context, result, end - start, key.partition));
      return;
    }
    flights.supersede(key);
    reply.written(memory.putEpoch, memory.putSeq, 1);
  }

  delete(key: KeySlice, reply: Reply): void {
    const { memory, flights } = this.context;
    const ref = memory.peek(key);
    const found = isSeen(memory, ref);
    memory.result = found ? RequestResult.done : RequestResult.notFound;
    memory.remove(key);
    flights.supersede(key);
    reply.found(found);
  }

  holds(): boolean {
    return false;
  }

  whenDone(_text: string, done: (refusal: LarderError | undefined) => void): void {
    done(undefined);
  }

  drain(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): void {}
}

/** Why the memory did not take a value that must be in it. */
export function notStored(
  { name, policy, memory }: StrategyContext,
  result: PutResult,
  valueBytes: number,
  partition: number,
): LarderError {
  if (result === PutResult.away) return memory.refusal(partition);
  if (result === PutResult.tooLarge) {
    const message = `the value has ${valueBytes} bytes, more than cache '${name}' can hold in its memory of ${policy.memoryBytesMax} bytes`;
    return new LarderError('TOO_LARGE', message, { outcome: 'not-applied' });
  }
  const message = `cache '${name}' is full: its memory of ${policy.memoryBytesMax} bytes holds entries that cannot leave before they are in the origin`;
  return new LarderError('OUT_OF_MEMORY', message, { outcome: 'not-applied' });
}

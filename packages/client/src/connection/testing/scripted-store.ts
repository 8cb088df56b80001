import {
  OperationKind,
  SESSION_VALUE_BYTES_MAX,
  type SessionResponseWriter,
  TTL_DEFAULT,
  TTL_NEVER,
  TTL_NONE,
} from '@larder/proto';
import { type SentOperation, writeHit } from './scripted-session.js';

export interface StoredValue {
  readonly value: Buffer;
  readonly seq: number;
  readonly ttlMs: number;
}

/** What a well-behaved node answers, with a Map behind it. A life is kept and never ends: tests have no time. */
export class ScriptedStore {
  readonly entries = new Map<string, StoredValue>();
  #seq = 0;

  static id(cache: string | undefined, key: string): string {
    return `${cache}/${key}`;
  }

  set(id: string, value: Buffer, ttlMs: number): number {
    const seq = ++this.#seq;
    this.entries.set(id, { value, seq, ttlMs: ttlMs === TTL_DEFAULT || ttlMs === TTL_NEVER ? TTL_NONE : ttlMs });
    return seq;
  }

  answer(operation: SentOperation, writer: SessionResponseWriter): void {
    const id = ScriptedStore.id(operation.cache, operation.key);
    const found = this.entries.get(id);
    switch (operation.kind) {
      case OperationKind.set:
        writer.written(operation.id, 7, this.set(id, operation.value as Buffer, operation.ttlMs), 2);
        break;
      case OperationKind.delete:
        writer.found(operation.id, this.entries.delete(id));
        break;
      case OperationKind.expire:
        if (found) this.set(id, found.value, operation.ttlMs);
        writer.found(operation.id, found !== undefined);
        break;
      case OperationKind.peek:
        if (found) writer.peeked(operation.id, 7, found.seq, found.ttlMs);
        else writer.found(operation.id, false);
        break;
      default:
        if (found) answerValue(operation, found, writer);
        else writer.miss(operation.id);
    }
  }
}

function answerValue(
  { id, kind }: SentOperation,
  { value, seq, ttlMs }: StoredValue,
  writer: SessionResponseWriter,
): void {
  if (value.length > SESSION_VALUE_BYTES_MAX) writer.bulk(id, value.length, 7, seq, ttlMs);
  else if (kind === OperationKind.get) writeHit(writer, id, value);
  else {
    const at = writer.entry(id, value.length, false, 7, seq, ttlMs);
    writer.bytes.set(value, at);
  }
}

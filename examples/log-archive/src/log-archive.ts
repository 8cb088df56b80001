import { randomUUID } from 'node:crypto';
import type { Cache, Larder } from '@larder/client';

export interface LogLine {
  /** ISO 8601. */
  readonly at: string;
  readonly line: string;
}

/** Lines that are kept for years and hardly ever read. */
export class LogArchive {
  readonly #log: Cache<LogLine>;

  constructor(larder: Larder) {
    this.#log = larder.cache<LogLine>('log');
  }

  /** Resolves with the line's id when it is committed. Lines that are written at the same time share a statement. */
  async append(line: string, at: Date): Promise<string> {
    const id = randomUUID();
    await this.#log.set(id, { at: at.toISOString(), line });
    return id;
  }

  /** From the table the first time, then from memory. */
  read(id: string): Promise<LogLine | undefined> {
    return this.#log.get(id);
  }
}

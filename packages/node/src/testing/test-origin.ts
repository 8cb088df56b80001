import type { Origin, OriginRow } from '@larder/loader';
import { LarderError } from '@larder/proto';

/** Rows in a map; the value `poison` is refused, and writes can be made to wait. */
export class TestOrigin implements Origin {
  readonly callMsMax = 50;
  readonly rows = new Map<string, string>();
  writes = 0;
  #gate: Promise<void> | undefined;
  #open: () => void = () => {};
  /** Writes that wait. */
  held = 0;

  /** From now on writes wait for `release`. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#gate = undefined;
    this.#open();
  }

  async loadMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return keys.map((key) => {
      const row = this.rows.get(key);
      return row === undefined ? undefined : Buffer.from(row);
    });
  }

  async writeMany(rows: readonly OriginRow[]): Promise<void> {
    this.held++;
    await this.#gate;
    this.held--;
    const texts = rows.map(({ value }) => Buffer.from(value).toString());
    if (texts.includes('poison')) throw new LarderError('ORIGIN', 'no poison, please', { outcome: 'not-applied' });
    this.writes += rows.length;
    for (const [index, { key }] of rows.entries()) this.rows.set(key, texts[index]!);
  }

  async deleteMany(keys: readonly string[]): Promise<readonly boolean[]> {
    return keys.map((key) => this.rows.delete(key));
  }

  async close(): Promise<void> {}
}

import pg from 'pg';
import type { PostgresDatabase, TextRow } from '../postgres-database.js';
import { connectError, postgresError } from '../postgres-errors.js';
import { CHANGE_CHANNEL } from '../sql/change-log.js';

/** A connection that listens for changes and reads them: one of its own, because a pool takes its connections back. */
export class ChangeConnection {
  #isClosed = false;

  private constructor(
    readonly database: PostgresDatabase,
    private readonly client: pg.Client,
  ) {}

  /** `lost` is told once if the connection breaks by itself. Rejects with ORIGIN_UNAVAILABLE or ORIGIN. */
  static async open(database: PostgresDatabase, notified: () => void, lost: () => void): Promise<ChangeConnection> {
    const client = new pg.Client(database.connectionConfig);
    const connection = new ChangeConnection(database, client);
    client.on('notification', notified);
    // Unheard, an error would end the process; the end follows it.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (thrown) {
      connection.close();
      throw connectError(thrown, 'read', database.label);
    }
    client.on('end', () => {
      if (!connection.#isClosed) lost();
    });
    try {
      await connection.run(`LISTEN ${CHANGE_CHANNEL}`);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** Rejects with ORIGIN or ORIGIN_UNAVAILABLE. */
  async run(text: string, values: readonly string[] = []): Promise<TextRow[]> {
    try {
      const { rows } = await this.client.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' });
      return rows;
    } catch (thrown) {
      throw postgresError(thrown, 'read', this.database.label);
    }
  }

  close(): void {
    this.#isClosed = true;
    void this.client.end().catch(() => {});
  }
}

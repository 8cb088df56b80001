import type { Postgres } from '@larder/test-kit';
import pg from 'pg';
import { TABLE } from '../database/things-table.js';

/** What an application runs to load the row by itself. */
export const LOAD = `SELECT name FROM ${TABLE} WHERE id = $1 /* by the application */`;

/** PostgreSQL says in its log which statements it executes. */
export const COUNTED = { log_statement: 'all' };

/** Of a statement of the nodes that loads rows, and of the application's: one line each. */
const LOADS = /row_to_json\(v\)|\/\* by the application \*\//;

/** Statements that have loaded rows of the table since the server started. One that waits for its lock is not there yet. */
export function countLoads(postgres: Postgres): number {
  return postgres.log.filter((line) => LOADS.test(line)).length;
}

/** Holds up all loads of the table until it is let go, so that everybody is there before the first of them ends. */
export class HeldTable {
  static async hold(url: string): Promise<HeldTable> {
    const client = new pg.Client({ connectionString: url });
    // A bench that fails stops the server before it lets the table go, and is to say why it failed.
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${TABLE} IN ACCESS EXCLUSIVE MODE`);
    return new HeldTable(client);
  }

  private constructor(private readonly client: pg.Client) {}

  /** Loads that wait for it. */
  async waiting(): Promise<number> {
    const { rows } = await this.client.query<{ count: string }>(
      `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '${TABLE}'::regclass`,
    );
    return Number(rows[0]?.count);
  }

  async letGo(): Promise<void> {
    await this.client.query('COMMIT');
    await this.client.end();
  }
}

import { fileURLToPath } from 'node:url';
import { startPostgres } from '@larder/test-kit';
import pg from 'pg';

export interface Database {
  readonly url: string;
  /** For people: without the password if it is not ours. */
  readonly shownUrl: string;
  readonly pool: pg.Pool;
  stop(): Promise<void>;
}

const DATA_DIRECTORY = fileURLToPath(new URL('../../../.larder/postgres', import.meta.url));
const CONNECT_TIMEOUT_MS = 5_000;

/** DATABASE_URL's, or a PostgreSQL of our own whose data is kept for the next time. */
export async function openDatabase(givenUrl: string | undefined): Promise<Database> {
  if (givenUrl) return connectTo(givenUrl);
  const server = await startPostgres({ dataDirectory: DATA_DIRECTORY, durable: true });
  const pool = newPool(server.url);
  const stop = async () => {
    await pool.end();
    await server.stop();
  };
  return { url: server.url, shownUrl: server.url, pool, stop };
}

async function connectTo(url: string): Promise<Database> {
  const shownUrl = withoutPassword(url);
  const pool = newPool(url);
  try {
    await pool.query('SELECT 1');
  } catch (error) {
    await pool.end();
    const reason = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error);
    throw new Error(`DATABASE_URL is ${shownUrl}, which cannot be reached: ${reason}`, { cause: error });
  }
  return { url, shownUrl, pool, stop: () => pool.end() };
}

function newPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 10, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // An idle connection that breaks is replaced by the pool; the next query tells if there is none to be had.
  pool.on('error', () => {});
  return pool;
}

function withoutPassword(url: string): string {
  try {
    const shown = new URL(url);
    if (shown.password !== '') shown.password = '***';
    return shown.href;
  } catch {
    throw new Error('DATABASE_URL is not a URL; allowed is postgres://user:password@host:5432/database');
  }
}

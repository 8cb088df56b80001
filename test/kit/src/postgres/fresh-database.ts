import { randomBytes } from 'node:crypto';
import pg from 'pg';

export interface FreshDatabase {
  readonly url: string;
  /** Ends whatever connections are left to it and removes it. */
  drop(): Promise<void>;
}

/** An empty database on the server that `url` leads to, under a name that nobody else has. */
export async function freshDatabase(url: string, prefix = 'test'): Promise<FreshDatabase> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  await createDatabase(url, name);
  return {
    url: withDatabase(url, name),
    drop: () => runStatement(url, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`),
  };
}

/** Resolves with the URL of the new database. Rejects if there is one of that name. */
export async function createDatabase(url: string, name: string): Promise<string> {
  await runStatement(url, `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  return withDatabase(url, name);
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(name)}`;
  return changed.href;
}

async function runStatement(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

import pg from 'pg';
import type { CacheKind } from './call-record.js';
import type { RowChange } from './row-order.js';

/** The caches that have a table, which bears the cache's name. */
export const TABLES: readonly CacheKind[] = ['through', 'behind'];

const SCHEMA = `
  CREATE TABLE through (key text PRIMARY KEY, value text NOT NULL);
  CREATE TABLE behind (key text PRIMARY KEY, value text NOT NULL);
  CREATE TABLE row_changes (serial bigserial PRIMARY KEY, cache text, key text, value text);
  CREATE INDEX ON row_changes (cache, key);
  CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'DELETE' THEN INSERT INTO row_changes (cache, key) VALUES (TG_TABLE_NAME, OLD.key);
    ELSE INSERT INTO row_changes (cache, key, value) VALUES (TG_TABLE_NAME, NEW.key, NEW.value);
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON through FOR EACH ROW EXECUTE FUNCTION note_change();
  CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON behind FOR EACH ROW EXECUTE FUNCTION note_change();`;

/** The tables behind the caches, which note every change of a row in the order in which it happened. */
export class ChaosDatabase {
  static async open(url: string): Promise<ChaosDatabase> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(SCHEMA);
    return new ChaosDatabase(client);
  }

  private constructor(private readonly client: pg.Client) {}

  /** The changes of these rows, by key, in their order. They are forgotten. */
  async takeChanges(cache: CacheKind, keys: readonly string[]): Promise<Map<string, RowChange[]>> {
    const { rows } = await this.client.query<{ key: string; value: string | null }>(
      `WITH gone AS (DELETE FROM row_changes WHERE cache = $1 AND key = ANY ($2) RETURNING *)
       SELECT key, value FROM gone ORDER BY serial`,
      [cache, keys],
    );
    const changes = new Map<string, RowChange[]>();
    for (const { key, value } of rows) {
      const known = changes.get(key) ?? [];
      changes.set(key, known);
      known.push({ value: value ?? undefined });
    }
    return changes;
  }

  /** All rows of a cache's table, by key. */
  async rows(cache: CacheKind): Promise<Map<string, string>> {
    const { rows } = await this.client.query<{ key: string; value: string }>(
      `SELECT key, value FROM ${pg.escapeIdentifier(cache)}`,
    );
    return new Map(rows.map(({ key, value }) => [key, value]));
  }

  close(): Promise<void> {
    return this.client.end();
  }
}

import { OWN_SCHEMA } from './own-schema.js';

/** Where triggers leave which rows other programs have changed; written by them, read and cleared away by nodes. */
export const CHANGE_LOG = `${OWN_SCHEMA}.change`;
/** What is notified when there is more in the log. */
export const CHANGE_CHANNEL = 'larder_change';
/** What nodes set in their sessions, so that triggers pass over their writes. */
export const WRITER_SETTING = 'larder.writer';

/** Keys in one line of the log. */
const KEYS_MAX = 500;

/** The statements that make the log. `keys` null: all of the table. */
export const CREATE_CHANGE_LOG: readonly string[] = [
  `CREATE SCHEMA IF NOT EXISTS ${OWN_SCHEMA}`,
  `CREATE TABLE IF NOT EXISTS ${CHANGE_LOG} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  source text NOT NULL,
  keys text[]
)`,
  `CREATE INDEX IF NOT EXISTS change_xid ON ${CHANGE_LOG} (xid)`,
];

/** What the role of the nodes needs, if another one has made the log. `role` is quoted. */
export function grantChangeLog(role: string): readonly string[] {
  return [`GRANT USAGE ON SCHEMA ${OWN_SCHEMA} TO ${role}`, `GRANT SELECT, UPDATE, DELETE ON ${CHANGE_LOG} TO ${role}`];
}

/**
 * The function of a table's triggers: it notes the keys of the rows that a statement has changed. It has the settings of
 * the nodes' sessions, so that values are the same text. `source` and `key` are SQL; in `key` the row is `r`.
 */
export function noteFunction(name: string, source: string, key: string): string {
  const noted = (...rows: string[]): string => {
    const keys = rows.map((table) => `SELECT ${key} AS key FROM ${table} r`).join(' UNION ALL ');
    return `INSERT INTO ${CHANGE_LOG} (source, keys)
      SELECT ${source}, array_agg(p.key) FROM (
        SELECT d.key, (row_number() OVER () - 1) / ${KEYS_MAX} AS page
        FROM (SELECT DISTINCT a.key FROM (${keys}) a WHERE a.key IS NOT NULL) d
      ) p GROUP BY p.page;`;
  };
  return `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' AS $larder$
BEGIN
  IF TG_OP = 'INSERT' THEN
    ${noted('after_rows')}
  ELSIF TG_OP = 'UPDATE' THEN
    ${noted('before_rows', 'after_rows')}
  ELSIF TG_OP = 'DELETE' THEN
    ${noted('before_rows')}
  ELSE
    INSERT INTO ${CHANGE_LOG} (source) VALUES (${source});
  END IF;
  IF FOUND THEN PERFORM pg_notify('${CHANGE_CHANNEL}', ''); END IF;
  RETURN NULL;
END $larder$`;
}

const EVENTS = [
  ['insert', 'REFERENCING NEW TABLE AS after_rows'],
  ['update', 'REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows'],
  ['delete', 'REFERENCING OLD TABLE AS before_rows'],
  ['truncate', ''],
] as const;

/** One trigger for each event, because those with rows may have no more. `name`, of the first, is plain. */
export function noteTriggers(table: string, name: string, functionName: string): readonly string[] {
  return EVENTS.flatMap(([event, rows]) => [
    `DROP TRIGGER IF EXISTS ${name}_${event} ON ${table}`,
    `CREATE TRIGGER ${name}_${event} AFTER ${event.toUpperCase()} ON ${table} ${rows} FOR EACH STATEMENT
  WHEN (current_setting('${WRITER_SETTING}', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION ${functionName}()`,
  ]);
}

/** $1: a table as SQL text, $2: the names of its triggers. How many of them there are, and at work. */
export const COUNT_TRIGGERS = `
  SELECT count(*) FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = pg_catalog.to_regclass($1) AND t.tgname = ANY ($2::text[]) AND t.tgenabled IN ('O', 'A')`;

export function triggerNames(name: string): readonly string[] {
  return EVENTS.map(([event]) => `${name}_${event}`);
}

/** What has been committed, for a reader that wants to know later what came after. */
export const SNAPSHOT = 'SELECT pg_current_snapshot()::text';

/** What was committed after snapshot $1, from id $2 on: id, source, keys as JSON. */
export const CHANGES_SINCE = `
  SELECT c.id::text, c.source, array_to_json(c.keys)::text
  FROM ${CHANGE_LOG} c
  WHERE c.xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(c.xid, $1::pg_snapshot) AND c.id > $2::bigint
  ORDER BY c.id LIMIT 20`;

/** Clears away what had been committed long before snapshot $1. Nodes that do it together do not wait for each other. */
export const FORGET_CHANGES = `
  DELETE FROM ${CHANGE_LOG} WHERE id IN (
    SELECT id FROM ${CHANGE_LOG} WHERE xid < pg_snapshot_xmin($1::pg_snapshot) ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
  ) RETURNING id::text`;

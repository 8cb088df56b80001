/** $1: the quoted name. */
export const FIND_TABLE = `
  SELECT c.oid, n.nspname, c.relname, c.relkind, current_setting('server_encoding')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = pg_catalog.to_regclass($1)`;

/** What there is, for the message about a table that there is not. */
export const LIST_TABLES = `
  SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'larder_internal') AND n.nspname NOT LIKE 'pg_t%'
  ORDER BY 1 LIMIT 20`;

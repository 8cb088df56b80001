/** $1: the name of a statement of this session. Its parameters' types, with what lies beneath a domain, in their order. */
export const PARAMETER_TYPES = `
  WITH RECURSIVE base AS (
    SELECT p.position, t.oid, t.typname, t.typtype, t.typbasetype
    FROM pg_catalog.pg_prepared_statements s,
      unnest(s.parameter_types::oid[]) WITH ORDINALITY AS p (oid, position)
      JOIN pg_catalog.pg_type t ON t.oid = p.oid
    WHERE s.name = $1
    UNION ALL
    SELECT b.position, t.oid, t.typname, t.typtype, t.typbasetype
    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
  )
  SELECT typname, pg_catalog.format_type(oid, NULL),
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = base.oid)
  FROM base WHERE typtype <> 'd' ORDER BY position`;

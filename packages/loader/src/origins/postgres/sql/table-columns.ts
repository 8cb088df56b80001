/**
 * $1: the table's oid. The columns with what lies beneath their type: a domain's base type, an array's element type,
 * an enum's labels as a JSON array.
 */
export const TABLE_COLUMNS = `
  WITH RECURSIVE base AS (
    SELECT a.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typelem, t.typcategory
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typelem, t.typcategory
    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
  )
  SELECT a.attname,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    pg_catalog.format_type(base.oid, NULL),
    base.typname,
    CASE WHEN base.typcategory = 'A' THEN element.typname END,
    a.attnotnull,
    a.attidentity,
    a.attgenerated,
    CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
    coalesce(l.collisdeterministic, true),
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = base.oid)
  FROM pg_catalog.pg_attribute a
  JOIN base ON base.attnum = a.attnum AND base.typtype <> 'd'
  LEFT JOIN pg_catalog.pg_type element ON element.oid = base.typelem
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  WHERE a.attrelid = $1::oid
  ORDER BY a.attnum`;

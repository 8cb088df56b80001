/**
 * $1: the table's oid. For each unique index that can tell rows apart by itself (no condition, no expression, checked
 * at once), its columns as a JSON array.
 */
export const UNIQUE_KEYS = `
  SELECT (
    SELECT json_agg(a.attname ORDER BY k.position)::text
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE k.position <= i.indnkeyatts
  )
  FROM pg_catalog.pg_index i
  WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY i.indisprimary DESC, i.indexrelid`;

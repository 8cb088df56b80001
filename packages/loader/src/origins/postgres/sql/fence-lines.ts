import { FENCE_TABLE } from './create-fence.js';

/** $1: the node's name. $2: how many. The new lines. */
export const OPEN_LINES = `
  INSERT INTO ${FENCE_TABLE} (node) SELECT $1::text FROM generate_series(1, $2::integer)
  RETURNING line::text`;

/** $1: lines that stay. Waits for no write, so that the nodes that go on can do so at once, on new lines. */
export const RAISE_LINES = `
  WITH others AS (
    SELECT line FROM ${FENCE_TABLE} WHERE NOT raised AND line <> ALL ($1::uuid[]) ORDER BY line FOR NO KEY UPDATE
  )
  UPDATE ${FENCE_TABLE} f SET raised = true FROM others o WHERE f.line = o.line`;

/** $1: lines that stay. $2: a node's name. The same for the lines of the node's former lives. */
export const RAISE_FORMER_LINES = `
  WITH former AS (
    SELECT line FROM ${FENCE_TABLE}
    WHERE NOT raised AND line <> ALL ($1::uuid[]) AND node = $2::text ORDER BY line FOR NO KEY UPDATE
  )
  UPDATE ${FENCE_TABLE} f SET raised = true FROM former o WHERE f.line = o.line`;

/** Waits for the writes that have locked a raised line. The order lets two nodes do it at once. */
export const END_RAISED_LINES = `
  WITH raised AS (SELECT line FROM ${FENCE_TABLE} WHERE raised ORDER BY line FOR UPDATE)
  DELETE FROM ${FENCE_TABLE} f USING raised o WHERE f.line = o.line`;

/**
 * The first part of a write statement: one row if its line stands, none if it was raised, also while the statement
 * waited for it. The lock lasts until the statement has taken effect. KEY SHARE lets RAISE_LINES pass.
 */
export function standingLine(parameter: number): string {
  return `fence AS MATERIALIZED (
    SELECT line FROM ${FENCE_TABLE} WHERE line = $${parameter}::uuid AND NOT raised FOR KEY SHARE
  )`;
}

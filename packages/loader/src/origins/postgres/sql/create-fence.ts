import { OWN_SCHEMA } from './own-schema.js';

/** Where the lines of all nodes are. */
export const FENCE_TABLE = `${OWN_SCHEMA}.fence`;

const CREATE_SCHEMA = `CREATE SCHEMA IF NOT EXISTS ${OWN_SCHEMA}`;
const CREATE_TABLE = `CREATE UNLOGGED TABLE IF NOT EXISTS ${FENCE_TABLE} (line uuid PRIMARY KEY DEFAULT gen_random_uuid(), node text NOT NULL, raised boolean NOT NULL DEFAULT false, opened timestamptz NOT NULL DEFAULT now())`;

/** For whoever may do what the node's role may not. One line, because messages about the configuration are. */
export function fenceByHand(role: string): string {
  const grants = `GRANT USAGE ON SCHEMA ${OWN_SCHEMA} TO ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ${FENCE_TABLE} TO ${role};`;
  return `${CREATE_SCHEMA}; ${CREATE_TABLE}; ${grants}`;
}

/**
 * Makes schema and table unless they are there: IF NOT EXISTS alone asks for the right to create them even then. Nodes
 * that start together follow each other; the number of the lock is ours.
 */
export const CREATE_FENCE = `
  DO $$ BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(7810459201833);
    IF pg_catalog.to_regnamespace('${OWN_SCHEMA}') IS NULL THEN ${CREATE_SCHEMA}; END IF;
    IF pg_catalog.to_regclass('${FENCE_TABLE}') IS NULL THEN ${CREATE_TABLE}; END IF;
  END $$`;

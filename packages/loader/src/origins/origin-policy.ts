import type { z } from 'zod';
import { blockSetting } from '../config-schema.js';
import { type ModuleOriginOptions, moduleOriginSchema } from './module/module-origin-options.js';
import { type PostgresQueryOptions, postgresQuerySchema } from './postgres/postgres-query-options.js';
import { type PostgresTableOptions, postgresTableSchema } from './postgres/postgres-table-options.js';

/** The `origin` block of a cache: exactly one of these. */
export interface OriginPolicy {
  /** The rows of a table. */
  readonly postgresTable?: PostgresTableOptions | undefined;
  /** The results of a query, which can only be read. */
  readonly postgresQuery?: PostgresQueryOptions | undefined;
  /** An object of your own. */
  readonly module?: ModuleOriginOptions | undefined;
}

const KINDS = ['postgresTable', 'postgresQuery', 'module'] as const;

export const originPolicySchema: z.ZodType<OriginPolicy> = blockSetting({
  postgresTable: postgresTableSchema.optional(),
  postgresQuery: postgresQuerySchema.optional(),
  module: moduleOriginSchema.optional(),
}).refine((policy) => KINDS.filter((kind) => policy[kind] !== undefined).length === 1, {
  error: `exactly one of ${KINDS.join(', ')}`,
});

/** What the policy says of its database, and where; undefined if it has none. */
export function databaseSetting(
  policy: OriginPolicy,
): { readonly kind: 'postgresTable' | 'postgresQuery'; readonly database: string | undefined } | undefined {
  if (policy.postgresTable) return { kind: 'postgresTable', database: policy.postgresTable.database };
  return policy.postgresQuery && { kind: 'postgresQuery', database: policy.postgresQuery.database };
}

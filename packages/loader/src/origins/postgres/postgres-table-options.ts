import { z } from 'zod';
import { blockSetting, nameSetting } from '../../config-schema.js';

/** The `origin.postgresTable` block of a cache. */
export interface PostgresTableOptions {
  /** `cities` or `geo.cities`; upper case and odd characters as they are in the catalog, without quotes. */
  readonly table: string;
  /** The column that the cache's keys are values of; it needs a unique index of its own. */
  readonly key: string;
  /** What a value consists of, in this order. Default: all columns of the table. */
  readonly columns?: readonly string[] | undefined;
  /** A name under `databases`. May be left out if there is only one. */
  readonly database?: string | undefined;
}

export const postgresTableSchema: z.ZodType<PostgresTableOptions> = blockSetting({
  table: nameSetting("a table, as 'table' or 'schema.table'"),
  key: nameSetting('the name of the key column'),
  columns: z
    .array(nameSetting('the name of a column'), { error: 'a list of column names' })
    .min(1, { error: 'at least one column name' })
    .refine((names) => new Set(names).size === names.length, { error: 'each column once' })
    .optional(),
  database: nameSetting('a name under databases').optional(),
});

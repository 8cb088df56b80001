import { z } from 'zod';
import { blockSetting, nameSetting } from '../../config-schema.js';

/** The `origin.postgresTable` block of a cache. */
export interface PostgresTableOptions {
  /** `cities` or `geo.cities`; upper case and odd characters as they are in the catalog, without quotes. */
  readonly table: string;
  /**
   * The column that the cache's keys are values of, or several: then a key is a tuple, such as `['DE', 7]` in the client.
   * They need a unique index on just these columns.
   */
  readonly key: string | readonly string[];
  /** What a value consists of, in this order. Default: all columns of the table but `versionColumn`. */
  readonly columns?: readonly string[] | undefined;
  /** In place of `columns`: the json or jsonb column that holds the whole value, which then may be any JSON. */
  readonly value?: string | undefined;
  /**
   * A bigint column in which each write leaves its version, and a row with a newer one is left alone: for databases
   * without the fence, and for clusters that follow each other. Default: none.
   */
  readonly versionColumn?: string | undefined;
  /** True: the key is a serial or identity column, but the application chooses the numbers. Default false. */
  readonly assignedKeys?: boolean | undefined;
  /**
   * True: what other programs write to the table is followed, by triggers that are installed beforehand (docs/external-writes.md).
   * Default false.
   */
  readonly watch?: boolean | undefined;
  /** A name under `databases`. May be left out if there is only one. */
  readonly database?: string | undefined;
}

/** What an index of PostgreSQL can have. */
const KEY_COLUMNS_MAX = 32;
const columnNames = z
  .array(nameSetting('the name of a column'), { error: 'a list of column names' })
  .min(1, { error: 'at least one column name' })
  .refine((names) => new Set(names).size === names.length, { error: 'each column once' });

export const postgresTableSchema: z.ZodType<PostgresTableOptions> = blockSetting({
  table: nameSetting("a table, as 'table' or 'schema.table'"),
  key: z.union([nameSetting('the name of the key column'), columnNames.max(KEY_COLUMNS_MAX)], {
    error: `the name of the key column, or a list of 1 to ${KEY_COLUMNS_MAX} such names, each once`,
  }),
  columns: columnNames.optional(),
  value: nameSetting('the name of a json or jsonb column').optional(),
  versionColumn: nameSetting('the name of a bigint column').optional(),
  assignedKeys: z.boolean({ error: 'true, false' }).optional(),
  watch: z.boolean({ error: 'true, false' }).optional(),
  database: nameSetting('a name under databases').optional(),
})
  .refine(({ value, columns }) => value === undefined || columns === undefined, {
    path: ['value'],
    error: 'none, because columns says what a value consists of',
  })
  .refine(({ versionColumn, columns }) => versionColumn === undefined || !columns?.includes(versionColumn), {
    path: ['versionColumn'],
    error: 'a column that is not among columns',
  });

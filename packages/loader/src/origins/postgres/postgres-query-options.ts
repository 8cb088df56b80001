import { z } from 'zod';
import { blockSetting, choiceSetting, nameSetting } from '../../config-schema.js';

/** The `origin.postgresQuery` block of a cache that only reads. */
export interface PostgresQueryOptions {
  /** One SELECT with the parameters `$1`, `$2` and so on, which are the cache's key. */
  readonly sql: string;
  /** Types of the parameters, such as `integer` or `text`. Default: what PostgreSQL infers. */
  readonly parameters?: readonly string[] | undefined;
  /**
   * `rows`: a value is the JSON array of all rows, in the query's order, empty if there is none. `row`: it is the only row,
   * as an object, and a key without one is a miss. Default rows.
   */
  readonly result?: QueryResult | undefined;
  /** A name under `databases`. May be left out if there is only one. */
  readonly database?: string | undefined;
}

const QUERY_RESULTS = ['rows', 'row'] as const;
export type QueryResult = (typeof QUERY_RESULTS)[number];

/** As many as a key may sensibly have parts. */
export const PARAMETERS_MAX = 32;

export const postgresQuerySchema: z.ZodType<PostgresQueryOptions> = blockSetting({
  sql: nameSetting('a SELECT with the parameters $1, $2 and so on'),
  parameters: z
    .array(nameSetting('a type, such as integer or text'), { error: 'a list of types' })
    .max(PARAMETERS_MAX, { error: `at most ${PARAMETERS_MAX} types` })
    .optional(),
  result: choiceSetting(QUERY_RESULTS).optional(),
  database: nameSetting('a name under databases').optional(),
});

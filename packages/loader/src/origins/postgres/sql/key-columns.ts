import { quoteIdentifier } from '../quote.js';
import type { TableKey } from '../table-key.js';

/** The keys of a statement, an array for each key column from $1 on, as the items of a FROM clause. */
export function keySources({ columns }: TableKey): string[] {
  return columns.map(({ arrayType }, index) => `unnest($${index + 1}::${arrayType})`);
}

/** What those items are called: k0, k1 and so on. */
export function keyAliases({ columns }: TableKey): string[] {
  return columns.map((_, index) => `k${index}`);
}

/**
 * How the rows of the keys are found in table `t`, and how a row tells its key. A single key column is compared with the
 * array at once, and the row tells the key's text. Tuples are joined, and the row tells the key's position, from 1.
 */
export interface KeyMatch {
  readonly from: readonly string[];
  readonly where: string;
  readonly told: string;
}

export function matchKeys(key: TableKey): KeyMatch {
  const names = key.columns.map(({ name }) => `t.${quoteIdentifier(name)}`);
  if (!key.isTuple) {
    const [name] = names;
    return { from: [], where: `${name} = ANY ($1::${key.columns[0]?.arrayType})`, told: `${name}::text` };
  }
  const arrays = key.columns.map(({ arrayType }, index) => `$${index + 1}::${arrayType}`);
  return {
    from: [`unnest(${arrays.join(', ')}) WITH ORDINALITY AS k (${[...keyAliases(key), 'position'].join(', ')})`],
    where: names.map((name, index) => `${name} = k.k${index}`).join(' AND '),
    told: 'k.position::text',
  };
}

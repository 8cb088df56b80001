import type { KeyType } from './key-type.js';
import { arrayLiteral } from './quote.js';

export interface KeyColumn {
  readonly name: string;
  readonly type: KeyType;
  readonly arrayType: string;
}

/**
 * What a cache's keys mean in a table. With one key column a key is the text of its value. With several it is the JSON
 * array of their values in the order of the configuration, as clients write tuples: numbers of the integer types bare,
 * everything else a string. There is one such text for a row: `["1"]`, `[1.0]`, `[ 1]` and escapes that JSON.stringify
 * would not write are keys that no row has.
 */
export class TableKey {
  constructor(readonly columns: readonly KeyColumn[]) {}

  get isTuple(): boolean {
    return this.columns.length > 1;
  }

  /** Completes "the key is not ...". */
  get allowed(): string {
    const [only] = this.columns;
    if (!this.isTuple) return (only as KeyColumn).type.allowed;
    return `the tuple [${this.columns.map(({ name, type }) => `${name}: ${type.allowed}`).join('; ')}]`;
  }

  /** The text of each column's value; undefined if no row can have the key. */
  parts(key: string): readonly string[] | undefined {
    if (this.isTuple) return tupleParts(key, this.columns);
    return (this.columns[0] as KeyColumn).type.accepts(key) ? [key] : undefined;
  }

  accepts(key: string): boolean {
    return this.isTuple ? this.parts(key) !== undefined : (this.columns[0] as KeyColumn).type.accepts(key);
  }

  /** Keys that this accepts, as one array literal for each column. */
  arrays(keys: readonly string[]): string[] {
    if (!this.isTuple) return [arrayLiteral(keys, (this.columns[0] as KeyColumn).type.isPlain)];
    const tuples = keys.map((key) => this.parts(key) ?? []);
    return this.columns.map(({ type }, index) =>
      arrayLiteral(
        tuples.map((parts) => parts[index] as string),
        type.isPlain,
      ),
    );
  }
}

const NUMBER = /-?\d+/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;

function tupleParts(key: string, columns: readonly KeyColumn[]): readonly string[] | undefined {
  const parts: string[] = [];
  let at = 0;
  for (const { type } of columns) {
    if (key[at] !== (at === 0 ? '[' : ',')) return undefined;
    const token = tokenAt(type.isNumber ? NUMBER : STRING, key, at + 1);
    const part = token === undefined || type.isNumber ? token : stringOf(token);
    if (token === undefined || part === undefined || !type.accepts(part)) return undefined;
    parts.push(part);
    at += 1 + token.length;
  }
  return key.length === at + 1 && key[at] === ']' ? parts : undefined;
}

function tokenAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Undefined if JSON.stringify would write it in another way, or if it holds half of a surrogate pair. */
function stringOf(token: string): string | undefined {
  try {
    const text = JSON.parse(token) as string;
    return JSON.stringify(text) === token && !/\p{Surrogate}/u.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

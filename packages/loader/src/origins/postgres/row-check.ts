import { isUtf8 } from 'node:buffer';
import { LarderError } from '@larder/proto';
import type { TableShape } from './table-shape.js';

/** A value as the JSON text that PostgreSQL takes apart. */
export function rowText(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString();
}

/** That text and the object that it is; of a document the object is empty, because nobody looks into it. */
export interface ParsedRow {
  readonly text: string;
  readonly object: Readonly<Record<string, unknown>>;
}

const DOCUMENT = {};

/**
 * Tells whether a value can be a row: a JSON object with known columns only, which has every column that must not be
 * null, or any JSON where a row has one column for it. Whether the column types fit is PostgreSQL's to say.
 */
export class RowCheck {
  readonly #known: ReadonlySet<string>;
  readonly #required: readonly string[];
  readonly #notNull: readonly string[];

  constructor(readonly shape: TableShape) {
    this.#known = new Set([...shape.key.columns, ...shape.columns].map(({ name }) => name));
    const notNull = shape.written.filter((column) => column.notNull);
    this.#notNull = notNull.map(({ name }) => name);
    this.#required = notNull.filter(({ defaultTo }) => defaultTo === undefined).map(({ name }) => name);
  }

  parse(key: string, value: Uint8Array): ParsedRow | LarderError {
    const parts = this.shape.key.parts(key);
    if (parts === undefined) return mistake(`the key '${shortened(key)}' is not ${this.shape.key.allowed}`);
    const text = rowText(value);
    if (this.shape.isDocument) {
      return isUtf8(value) && isJson(text) ? { text, object: DOCUMENT } : mistake('the value must be JSON');
    }
    const object = isUtf8(value) ? parseObject(text) : undefined;
    if (object === undefined) return mistake('the value must be a JSON object, because its properties are columns');
    const wrong = this.#wrongProperty(parts, object);
    return wrong === undefined ? { text, object } : mistake(wrong);
  }

  #wrongProperty(keyParts: readonly string[], object: Readonly<Record<string, unknown>>): string | undefined {
    for (const name of Object.keys(object)) {
      if (!this.#known.has(name)) return `the value has '${shortened(name)}'; allowed: ${[...this.#known].join(', ')}`;
    }
    for (const [index, { name }] of this.shape.key.columns.entries()) {
      const part = keyParts[index] as string;
      if (!Object.hasOwn(object, name) || String(object[name]) === part) continue;
      return `the value's '${name}' is '${shortened(String(object[name]))}', but its key is '${shortened(part)}'`;
    }
    for (const name of this.#required)
      if (!Object.hasOwn(object, name)) return `the value lacks '${name}', which is NOT NULL`;
    for (const name of this.#notNull)
      if (object[name] === null) return `the value's '${name}' is null, but the column is NOT NULL`;
    return undefined;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function mistake(reason: string): LarderError {
  return new LarderError('BAD_ARGUMENT', reason, { outcome: 'not-applied' });
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

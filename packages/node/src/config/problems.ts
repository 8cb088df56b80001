import type { LarderError } from '@larder/proto';
import { z } from 'zod';
import { ExitCode, startFault } from '../exit-code.js';
import { closestName } from './closest-name.js';

/**
 * How the faults of a config file are told: all at once, each with its path, the value given and what is allowed.
 * A schema's `error` is a phrase that completes "allowed: ...".
 */

export function configError(file: string, problems: readonly string[], cause?: unknown): LarderError {
  const message =
    problems.length === 1
      ? `config file ${file}: ${problems[0]}`
      : `config file ${file} has ${problems.length} problems:${problems.map((problem) => `\n  ${problem}`).join('')}`;
  return startFault(ExitCode.config, 'CONFIG', message, cause);
}

/** `caches.cities.ttl: "soon" given; allowed: ...` */
export function problemText(path: readonly PropertyKey[], given: unknown, allowed: string): string {
  return `${pathText(path)}: ${valueText(given)} given; allowed: ${allowed}`;
}

/** What a schema found wrong with `root`; one line a fault, a misspelt key with what it may have meant. */
export function schemaProblems(schema: z.ZodType, root: unknown, issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'invalid_key') return [wrongName(issue.path, issue.message)];
    if (issue.code !== 'unrecognized_keys') return [problemText(issue.path, valueAt(root, issue.path), issue.message)];
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => unknownKey([...issue.path, key], key, known));
  });
}

/** `caches.cities.ttl`; a number is an index. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]+$/.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text === '' ? 'the file' : text;
}

const SHOWN_LENGTH_MAX = 100;

/** For messages: short, on one line, and of a URL not its password. */
export function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function') return 'a function';
  const text = (JSON.stringify(value) ?? String(value)).replace(/(:\/\/[^:@/\s]*):[^\s"]*@/g, '$1:***@');
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text;
}

function wrongName(path: readonly PropertyKey[], allowed: string): string {
  return `${pathText(path.slice(0, -1))}: the name ${valueText(path.at(-1))} given; allowed: ${allowed}`;
}

function unknownKey(path: readonly PropertyKey[], key: string, known: readonly string[]): string {
  const closest = closestName(key, known);
  const hint = closest === undefined ? '' : `; did you mean "${closest}"?`;
  return `${pathText(path)}: unknown key${hint}; allowed: ${known.join(', ')}`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return value;
}

function keysAt(root: z.ZodType, path: readonly PropertyKey[]): string[] {
  let schema = unwrapped(root);
  for (const step of path) {
    if (schema instanceof z.ZodObject) schema = unwrapped(schema.shape[step as string]);
    else if (schema instanceof z.ZodRecord) schema = unwrapped(schema.valueType);
    else return [];
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable || inner instanceof z.ZodDefault) {
    inner = inner.unwrap();
  }
  return inner;
}

import { LarderError } from '@larder/proto';
import type { z } from 'zod';

/**
 * Checks a block of the configuration. Throws CONFIG, with one line per mistake: the path, the value given and what is
 * allowed. Schemas of Larder say in their `error` what is allowed, so that this is the only place that words it.
 */
export function checkConfig<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw configError(result.error.issues.flatMap((issue) => mistakes(issue, value, path)));
}

export function configError(lines: readonly string[], cause?: unknown): LarderError {
  return new LarderError('CONFIG', lines.join('\n'), { cause });
}

/** `caches.cities.ttl: "5 parsecs" given; allowed: milliseconds as a number, ...` */
export function configMistake(path: string, given: unknown, allowed: string): string {
  return `${path}: ${shown(given)} given; allowed: ${allowed}`;
}

function mistakes(issue: z.core.$ZodIssue, root: unknown, path: string): string[] {
  const inner = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      configMistake([path, ...inner, key].join('.'), valueAt(root, [...inner, key]), issue.message),
    );
  }
  return [configMistake([path, ...inner].join('.'), valueAt(root, inner), issue.message)];
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const step of path) value = (value as Record<string, unknown> | undefined)?.[step];
  return value;
}

const SHOWN_LENGTH_MAX = 100;

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'function' ? 'a function' : withoutPassword(JSON.stringify(value) ?? String(value));
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}...` : text;
}

function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^:@/\s]*):[^\s"]*@/g, '$1:***@');
}

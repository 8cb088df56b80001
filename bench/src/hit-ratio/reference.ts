import { readFile } from 'node:fs/promises';
import { UsageError } from '../options.js';

/** Exact hit counts of other caches, by trace and size: the form of `--reference`. */
export interface ReferenceTrace {
  readonly trace: string;
  readonly files: string;
  readonly requests: number;
  /** By size in entries: hits by policy. */
  readonly sizes: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export async function readReference(path: string): Promise<readonly ReferenceTrace[]> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new UsageError(
      `cannot read the reference ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const traces = typeof parsed === 'object' && parsed !== null && 'traces' in parsed ? parsed.traces : undefined;
  if (!Array.isArray(traces) || !traces.every(isReferenceTrace)) {
    throw new UsageError(
      `the reference ${path} must have "traces", each with "trace", "files", "requests" and "sizes"`,
    );
  }
  return traces;
}

function isReferenceTrace(value: unknown): value is ReferenceTrace {
  if (typeof value !== 'object' || value === null) return false;
  const { trace, files, requests, sizes } = value as Partial<Record<keyof ReferenceTrace, unknown>>;
  return (
    typeof trace === 'string' &&
    typeof files === 'string' &&
    typeof requests === 'number' &&
    typeof sizes === 'object' &&
    sizes !== null
  );
}

import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UsageError } from '../options.js';

/**
 * A sequence of requests, one a line: `key`, or `key,size` with the size of the value in bytes. Files may be gzip'd.
 * Keys are numbered in the order in which they come; a request is its key's number.
 */
export interface Trace {
  readonly name: string;
  readonly requests: Uint32Array;
  readonly keys: readonly string[];
  /** By request; undefined if the lines have no sizes. */
  readonly sizes: Uint32Array | undefined;
}

const LINE_WITH_SIZE = /^(.*),(\d+)$/;
/** Larger than any cache here; such a request is a miss each time. */
const SIZE_MAX = 2 ** 32 - 1;

/** `files` as in a reference: names with commas between them, `*5` behind one that is repeated. */
export async function readTrace(name: string, files: string, folder = ''): Promise<Trace> {
  const lines: string[] = [];
  for (const part of files.split(',')) {
    const [file = '', times = '1'] = part.split('*');
    const content = (await textOf(join(folder, file))).split('\n').filter((line) => line !== '');
    for (let time = 0; time < Number(times); time++) for (const line of content) lines.push(line);
  }
  if (lines.length === 0) throw new UsageError(`${files} has no requests`);
  return numbered(name, lines);
}

/** The whole path is one file here, whatever is in its name. */
export async function readTraceFile(path: string): Promise<Trace> {
  const lines = (await textOf(path)).split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new UsageError(`${path} has no requests`);
  return numbered(basename(path).replace(/\.gz$/, ''), lines);
}

function numbered(name: string, lines: readonly string[]): Trace {
  const sized = LINE_WITH_SIZE.test(lines[0]!.trimEnd());
  const numbers = new Map<string, number>();
  const requests = new Uint32Array(lines.length);
  const sizes = sized ? new Uint32Array(lines.length) : undefined;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.trimEnd();
    const match = sized ? LINE_WITH_SIZE.exec(line) : null;
    if (sized && match === null)
      throw new UsageError(`${name}: line ${index + 1} is '${line}', the first one had a size`);
    const key = match === null ? line : match[1]!;
    if (sizes !== undefined) sizes[index] = Math.min(Number(match![2]), SIZE_MAX);
    const number = numbers.get(key) ?? numbers.size;
    if (number === numbers.size) numbers.set(key, number);
    requests[index] = number;
  }
  return { name, requests, keys: [...numbers.keys()], sizes };
}

async function textOf(path: string): Promise<string> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (error) {
    throw new UsageError(`cannot read the trace ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const zipped = content[0] === 0x1f && content[1] === 0x8b;
  return (zipped ? gunzipSync(content) : content).toString('utf8');
}

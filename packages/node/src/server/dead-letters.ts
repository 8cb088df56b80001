import type { DeadLetter } from '@larder/loader';
import { LarderError } from '@larder/proto';
import type { NodeCache } from '../caches.js';
import type { ServerContext } from './server-context.js';

/** The dead letters of this node, as AdminService of larder/v1/admin.proto lists and handles them. */

export interface ListDeadLettersRequest {
  readonly cache: string;
  readonly key: string;
  readonly limit?: number;
}

export interface DeadLettersRequest {
  readonly cache: string;
  readonly key: string;
}

export interface ListedDeadLetter {
  readonly cache: string;
  readonly key: string;
  readonly code: string;
  readonly message: string;
  readonly sqlState: string;
  readonly constraint: string;
  readonly column: string;
  readonly attempts: number;
  readonly ageMs: number;
  readonly retryInMs?: number | undefined;
}

export interface ListDeadLettersResponse {
  readonly nodeId: string;
  readonly letters: readonly ListedDeadLetter[];
  readonly total: number;
}

const LIMIT_DEFAULT = 100;
export const DEAD_LETTERS_MAX = 10_000;

/** Throws UNKNOWN_CACHE. */
export function listDeadLetters(context: ServerContext, request: ListDeadLettersRequest): ListDeadLettersResponse {
  const caches = request.cache === '' ? context.caches.all : [context.caches.named(request.cache)];
  const limit = Math.min(request.limit || LIMIT_DEFAULT, DEAD_LETTERS_MAX);
  const letters = caches.flatMap((cache) =>
    lettersOf(cache, request.key, limit).map((letter) => listed(cache.name, letter)),
  );
  const total = caches.reduce((sum, { loader }) => sum + loader.statistics().refusedRows, 0);
  return { nodeId: context.selfId, letters, total };
}

/** Returns how many there were. Throws UNKNOWN_CACHE, or BAD_ARGUMENT without a cache. */
export function retryDeadLetters(context: ServerContext, request: DeadLettersRequest): { count: number } {
  return handleEach(context, request, ({ loader }, key) => loader.retryDeadLetter(key));
}

/** Returns how many there were. Throws UNKNOWN_CACHE, or BAD_ARGUMENT without a cache. */
export function discardDeadLetters(context: ServerContext, request: DeadLettersRequest): { count: number } {
  return handleEach(context, request, ({ loader }, key) => loader.discardDeadLetter(key));
}

function handleEach(
  context: ServerContext,
  request: DeadLettersRequest,
  handle: (cache: NodeCache, key: string) => boolean,
): { count: number } {
  if (request.cache === '') throw new LarderError('BAD_ARGUMENT', 'cache is empty; name the cache of the dead letters');
  const cache = context.caches.named(request.cache);
  context.partitions.beginTurn();
  const keys = lettersOf(cache, request.key, DEAD_LETTERS_MAX).map(({ key }) => key);
  return { count: keys.filter((key) => handle(cache, key)).length };
}

function lettersOf({ loader }: NodeCache, key: string, limit: number): readonly DeadLetter[] {
  if (key === '') return loader.deadLetters(limit);
  return loader.deadLetters(Number.POSITIVE_INFINITY).filter((letter) => letter.key === key);
}

function listed(cache: string, { key, error, attempts, ageMs, retryInMs }: DeadLetter): ListedDeadLetter {
  const { sqlState, constraint, column } = error.details ?? {};
  return {
    ...{ cache, key, code: error.code, message: error.reason, attempts, ageMs: Math.round(ageMs) },
    ...{ sqlState: textOf(sqlState), constraint: textOf(constraint), column: textOf(column) },
    ...(retryInMs === undefined ? {} : { retryInMs: Math.round(retryInMs) }),
  };
}

function textOf(detail: unknown): string {
  return typeof detail === 'string' ? detail : '';
}

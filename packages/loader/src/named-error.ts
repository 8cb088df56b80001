import { type ErrorCode, LarderError } from '@larder/proto';

/** What an origin says about rows. Other errors are about nodes and partitions, and name those. */
const OF_ORIGINS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ORIGIN',
  'ORIGIN_UNAVAILABLE',
  'BAD_ARGUMENT',
  'TOO_LARGE',
  'READ_ONLY',
]);
const KEY_LENGTH_MAX = 100;

/** An origin's error as the caller of one key is told it: it names cache and key. A batch shares one error that does not. */
export function namedError(error: LarderError, cache: string, key: string): LarderError {
  if (!OF_ORIGINS.has(error.code)) return error;
  const { code, reason, outcome, node, details } = error;
  return new LarderError(code, `cache '${cache}', key ${shownKey(key)}: ${reason}`, {
    ...{ outcome, node, details },
    cause: error.cause ?? error,
  });
}

function shownKey(key: string): string {
  return JSON.stringify(key.length > KEY_LENGTH_MAX ? `${key.slice(0, KEY_LENGTH_MAX)}...` : key);
}

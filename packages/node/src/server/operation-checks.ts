import { KEY_BYTES_MAX, LarderError, OperationKind, TTL_DEFAULT, TTL_MS_MAX } from '@larder/proto';

/** By OperationKind: writes of one key. */
export const WRITES: readonly boolean[] = Object.values(OperationKind).reduce<boolean[]>((writes, kind) => {
  writes[kind] = kind === OperationKind.set || kind === OperationKind.delete || kind === OperationKind.expire;
  return writes;
}, []);

export function unknownKind(kind: number): LarderError {
  const message = `operation.kind is ${kind}; this node knows 1 to 8`;
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}

/** The checks that every operation passes, whichever door it came in by. Undefined: nothing is wrong. */
export function checkKey(keyBytes: number): LarderError | undefined {
  if (keyBytes > 0 && keyBytes <= KEY_BYTES_MAX) return undefined;
  return new LarderError('BAD_ARGUMENT', `key has ${keyBytes} bytes; allowed are 1 to ${KEY_BYTES_MAX}`, {
    outcome: 'not-applied',
  });
}

export function checkValue(valueBytes: number, valueBytesMax: number): LarderError | undefined {
  if (valueBytes <= valueBytesMax) return undefined;
  return new LarderError('TOO_LARGE', `value has ${valueBytes} bytes; this cluster allows up to ${valueBytesMax}`, {
    outcome: 'not-applied',
  });
}

export function checkTtl(ttlMs: number): LarderError | undefined {
  if (ttlMs === TTL_DEFAULT || (ttlMs >= 0 && ttlMs <= TTL_MS_MAX)) return undefined;
  return new LarderError('BAD_ARGUMENT', `ttl is ${ttlMs} ms; allowed are 0 (never expires) to ${TTL_MS_MAX} ms`, {
    outcome: 'not-applied',
  });
}

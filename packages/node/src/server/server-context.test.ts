import { status } from '@grpc/grpc-js';
import { LarderError } from '@larder/proto';
import { expect, test } from 'vitest';
import { toStatus } from './server-context.js';

test('an error as a gRPC status has its code and outcome in the trailers', () => {
  const { code, details, metadata } = toStatus(new LarderError('BUSY', 'too much', { outcome: 'not-applied' }));
  expect({ code, details }).toEqual({ code: status.RESOURCE_EXHAUSTED, details: 'BUSY: too much' });
  expect(metadata?.getMap()).toEqual({ 'larder-code': 'BUSY', 'larder-outcome': 'not-applied' });
});

test('any message can be a header: grpc-js would not answer a call whose status cannot be encoded', () => {
  const { details } = toStatus(
    new LarderError('BAD_ARGUMENT', `half a character \ud83d, and much more ${'\u20ac'.repeat(100_000)}`),
  );
  expect(encodeURI(details as string).length).toBeLessThan(64 * 1024);
  expect(details).toMatch(/^BAD_ARGUMENT: half a character \ufffd, and much more/);
});

import { EventEmitter, once } from 'node:events';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { systemClock } from '@larder/base';
import { cacheService, LarderError } from '@larder/proto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ByteBudget } from './byte-budget.js';
import { type ForwardedCall, Forwarder, type UnaryMethod } from './forward.js';
import { toStatus } from './server-context.js';
import type { UnaryRequest } from './unary.js';
import type { UnaryResponse } from './unary-reply.js';

type PeerCall = ServerUnaryCall<UnaryRequest, UnaryResponse>;
type PeerHandler = (call: PeerCall, callback: sendUnaryData<UnaryResponse>) => void;

/** The owner of the key, which answers as a test says. */
let peer: Server;
let owner: { id: string; address: string };
let handle: PeerHandler;
let budget: ByteBudget;
let forwarder: Forwarder;

beforeEach(async () => {
  peer = new Server();
  const handler: PeerHandler = (call, callback) => handle(call, callback);
  peer.addService(cacheService, { Get: handler, Set: handler, Delete: handler, Expire: handler });
  const port = await new Promise<number>((resolve, reject) => {
    peer.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  owner = { id: 'n2', address: `127.0.0.1:${port}` };
  budget = new ByteBudget(1000);
  forwarder = new Forwarder(systemClock, budget, 1024);
});

afterEach(() => {
  forwarder.close();
  peer.forceShutdown();
  expect(budget.taken).toBe(0);
});

class Call extends EventEmitter implements ForwardedCall {
  constructor(readonly request: UnaryRequest) {
    super();
  }
}

function callWith(value?: Buffer): Call {
  return new Call({ cache: 'c', key: Buffer.from('k'), ...(value ? { value } : {}) });
}

/** Resolves with the answer, or with the error. */
function forward(method: UnaryMethod, call: ForwardedCall, timeoutMs = 5_000): Promise<UnaryResponse | LarderError> {
  return new Promise((resolve) => {
    forwarder.forward(method, owner, call, timeoutMs, (error, response) => resolve(error ?? response ?? {}));
  });
}

test('a call comes to its owner with what it asks, its deadline, and the mark that it was forwarded', async () => {
  let seen: PeerCall | undefined;
  handle = (call, callback) => {
    seen = call;
    callback(null, { epoch: 3, seq: 4, copies: 1 });
  };
  const before = systemClock.wallMs();
  const response = await forward('Set', callWith(Buffer.from('v')), 2_000);
  expect(response).toMatchObject({ epoch: 3, seq: 4, copies: 1 });
  expect(seen?.request).toMatchObject({ cache: 'c', key: Buffer.from('k'), value: Buffer.from('v') });
  expect(seen?.metadata.get('larder-forwarded')).toEqual(['1']);
  const deadline = Number(seen?.getDeadline());
  expect(deadline).toBeGreaterThan(before);
  expect(deadline).toBeLessThanOrEqual(systemClock.wallMs() + 2_000);
});

test('what the owner says is passed on in its words', async () => {
  const refusal = new LarderError('OUT_OF_MEMORY', 'cache c is full', { outcome: 'not-applied' });
  handle = (_call, callback) => callback(toStatus(refusal));
  const error = (await forward('Set', callWith())) as LarderError;
  expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', reason: 'cache c is full', outcome: 'not-applied', node: 'n2' });
});

describe('an owner that got the call and did not answer', () => {
  test.each([
    ['Set', 'unknown'],
    ['Delete', 'unknown'],
    ['Expire', 'unknown'],
    ['Get', undefined],
  ] as const)('%s in time: TIMEOUT, and the outcome is %s', async (method, outcome) => {
    handle = () => {};
    const error = (await forward(method, callWith(), 100)) as LarderError;
    expect(error).toMatchObject({ code: 'TIMEOUT', outcome, node: 'n2' });
    expect(error.message).toContain(`node n2 at ${owner.address}, which owns the key, did not answer in time`);
  });

  test.each([
    ['Set', 'unknown'],
    ['Get', undefined],
  ] as const)('%s before it died: UNAVAILABLE, and the outcome is %s', async (method, outcome) => {
    handle = () => peer.forceShutdown();
    expect(await forward(method, callWith())).toMatchObject({ code: 'UNAVAILABLE', outcome, node: 'n2' });
  });
});

test('an owner that cannot be reached: a write was not applied', async () => {
  peer.forceShutdown();
  expect(await forward('Set', callWith())).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied', node: 'n2' });
});

test('a caller that gives up takes the forwarded call with it', async () => {
  const call = callWith();
  let abandoned: Promise<unknown> | undefined;
  handle = (received) => {
    abandoned = once(received, 'cancelled');
    call.emit('cancelled');
  };
  expect(await forward('Set', call)).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
  await abandoned;
});

test('the bytes of the values under way are bounded', async () => {
  let release: (() => void) | undefined;
  const arrived = new Promise<void>((resolve) => {
    handle = (_call, callback) => {
      release = () => callback(null, {});
      resolve();
    };
  });
  const first = forward('Set', callWith(Buffer.alloc(600)));
  await arrived;
  const refused = () => forwarder.forward('Set', owner, callWith(Buffer.alloc(500)), 1_000, () => {});
  expect(refused).toThrow('BUSY: values under way hold 600 bytes and this one has 500; allowed are 1000');
  release?.();
  expect(await first).toEqual({ epoch: 0, seq: 0, copies: 0 });
});

test('the calls under way are bounded', async () => {
  handle = () => {};
  const calls = Array.from({ length: 256 }, () => forward('Get', callWith(), 200));
  expect(() => forwarder.forward('Get', owner, callWith(), 1_000, () => {})).toThrow('BUSY: more than 256 calls');
  for (const call of calls) expect(await call).toMatchObject({ code: 'TIMEOUT' });
  handle = (_call, callback) => callback(null, {});
  expect(await forward('Get', callWith())).not.toBeInstanceOf(LarderError);
});

test('a forwarder that was closed forwards nothing', async () => {
  handle = (_call, callback) => callback(null, {});
  const answer = forward('Set', callWith());
  forwarder.close();
  expect(await answer).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-applied' });
});

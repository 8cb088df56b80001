import { LarderError, packageDefinition } from '@larder/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sampleView } from '../cluster/sample-view.js';
import { encodeView } from '../cluster/view-codec.js';
import { NO_BALLOT } from '../cluster/view-store/register/ballot.js';
import type { FoundingReport } from '../cluster/view-store/register/founding.js';
import type { VoterReply, VoterRequest } from '../cluster/view-store/register/voter-messages.js';
import {
  decodeVote,
  decodeVoterReply,
  encodeReport,
  encodeVote,
  encodeVoterReply,
  type WireVoteRequest,
  type WireVoteResponse,
} from './vote-codec.js';

interface Codec<Message> {
  serialize(message: object): Buffer;
  deserialize(bytes: Buffer): Message;
}
const requests = packageDefinition['larder.v1.VoteRequest'] as unknown as Codec<WireVoteRequest>;
const responses = packageDefinition['larder.v1.VoteResponse'] as unknown as Codec<WireVoteResponse>;

const number = fc.maxSafeNat();
const bits128 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const ballot = fc.record({ counter: fc.maxSafeNat().map((counter) => Math.max(1, counter)), incarnation: bits128 });
const value = fc.oneof(
  fc.constant({ version: 0, document: Buffer.alloc(0) }),
  fc
    .integer({ min: 1, max: 1_000_000 })
    .map((version) => ({ version, document: Buffer.from(encodeView(sampleView({ version }))) })),
);
const request: fc.Arbitrary<VoterRequest> = fc.oneof(
  fc.record({ kind: fc.constant('state' as const), round: number }),
  fc.record({ kind: fc.constant('prepare' as const), round: number, ballot }),
  fc.record({ kind: fc.constant('accept' as const), round: number, ballot, value }),
);
const maybeBallot = fc.oneof(ballot, fc.constant(NO_BALLOT));
const reply: fc.Arbitrary<VoterReply> = fc.record({
  kind: fc.constantFrom('state', 'promised', 'accepted', 'refused'),
  round: number,
  diskId: bits128,
  promised: maybeBallot,
  accepted: fc.record({ ballot: maybeBallot, value }),
});
const report: fc.Arbitrary<FoundingReport> = fc.record({
  diskId: bits128,
  phase: fc.constantFrom('founding', 'agreed', 'voting'),
  disks: fc.array(bits128, { maxLength: 5 }),
});

test('requests, replies and reports come out of the generated codec as they went in', () => {
  fc.assert(
    fc.property(request, reply, report, (asked, answered, reported) => {
      expect(decodeVote(requests.deserialize(requests.serialize(encodeVote(asked))))).toEqual(asked);
      const through = (wire: object) => decodeVoterReply(responses.deserialize(responses.serialize(wire)));
      expect(through(encodeVoterReply(answered))).toEqual(answered);
      expect(through(encodeReport(reported))).toEqual(reported);
    }),
  );
  expect(decodeVote(requests.deserialize(requests.serialize(encodeVote('founding'))))).toBe('founding');
});

const valid = { kind: 3, round: 1, ballot: { counter: 1, incarnation: 'ab'.repeat(16) }, version: 0, document: [] };
const wire = (changes: object): WireVoteRequest => requests.deserialize(requests.serialize({ ...valid, ...changes }));

test.each([
  ['kind 0; allowed are 1 to 4', { kind: 0 }],
  ['kind 9; allowed are 1 to 4', { kind: 9 }],
  ['no ballot', { ballot: null }],
  ['no ballot', { ballot: { counter: 0, incarnation: '' } }],
  ['ballot.incarnation is not 128 bits', { ballot: { counter: 1, incarnation: 'me' } }],
  ['a document of version 0', { document: Buffer.from('view') }],
  ['a document of 4194305 bytes; allowed are 4194304', { version: 1, document: Buffer.alloc(4 * 1024 ** 2 + 1) }],
])('%s is refused', (reason, changes) => {
  expect(() => decodeVote(wire(changes))).toThrow(`BAD_ARGUMENT: a vote cannot be taken: ${reason}`);
});

test('a view of random bytes is refused before a voter takes it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const forged = wire({ version: 3, document: Buffer.from(bytes) });
      expect(() => decodeVote(forged)).toThrow(/^BAD_ARGUMENT: a view of a cluster cannot be read/);
    }),
  );
});

test('whatever the generated codec reads ends in a message or in BAD_ARGUMENT', () => {
  const loose = fc.record({
    kind: fc.nat(6),
    round: fc.oneof(number, fc.constantFrom(-1, 2 ** 60)),
    ballot: fc.option(fc.record({ counter: fc.oneof(number, fc.constant(2 ** 63)), incarnation: fc.string() })),
    version: fc.oneof(number, fc.constant(-1)),
    document: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    outcome: fc.nat(7),
    disk: fc.oneof(bits128, fc.string()),
    phase: fc.nat(5),
    disks: fc.array(fc.oneof(bits128, fc.string())),
  });
  fc.assert(
    fc.property(loose, (anything) => {
      for (const decode of [
        () => decodeVote(requests.deserialize(requests.serialize(anything))),
        () => decodeVoterReply(responses.deserialize(responses.serialize(anything))),
      ]) {
        try {
          decode();
        } catch (error) {
          expect(error).toBeInstanceOf(LarderError);
          expect((error as LarderError).code).toBe('BAD_ARGUMENT');
        }
      }
    }),
    { numRuns: 500 },
  );
});

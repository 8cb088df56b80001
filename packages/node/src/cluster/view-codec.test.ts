import { seededRandom } from '@larder/base';
import { LarderError } from '@larder/proto';
import { describe, expect, it } from 'vitest';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';
import { LAN_TIMERS } from './timers.js';
import { decodeView, encodeView } from './view-codec.js';
import type { ViewDocument } from './view-document.js';

const large: ViewDocument = sampleView({
  nextCopy: 3_000,
  partitions: Array.from({ length: 1_024 }, (_, index) =>
    samplePlacement({ epoch: 1 + index, ownerCopy: 1 + index, successor: 'b', successorCopy: 1_025 + index }),
  ),
});

describe('view codec', () => {
  it('gives back what it was given', () => {
    const view = sampleView({
      members: [sampleMember('a', { draining: true, weight: 3, zone: 'east' }), sampleMember('b'), sampleMember('c')],
      partitions: [
        samplePlacement({
          successor: 'b',
          successorCopy: 2,
          learner: 'c',
          learnerCopy: 3,
          origin: 'promoted',
          wait: 2,
        }),
        samplePlacement({ owner: 'c', ownerCopy: 9, origin: 'handed-over', lost: 4 }),
      ],
    });
    expect(decodeView(encodeView(view))).toEqual(view);
  });

  it('keeps a view lease without end', () => {
    const timers = { ...LAN_TIMERS, viewLeaseMs: Number.POSITIVE_INFINITY, viewGraceMs: Number.POSITIVE_INFINITY };
    const view = sampleView({ config: { copies: 2, copiesMin: 1, timers } });
    expect(decodeView(encodeView(view))).toEqual(view);
  });

  it('takes about 20 KB for 1,024 partitions', () => {
    expect(encodeView(large).length).toBeLessThan(20 * 1_024);
    expect(decodeView(encodeView(large))).toEqual(large);
  });

  it('refuses random bytes, whatever they are', () => {
    const random = seededRandom(1);
    for (let round = 0; round < 2_000; round++) {
      const bytes = Uint8Array.from({ length: random.integer(300) }, () => random.integer(256));
      expect(() => decodeView(bytes)).toThrow(LarderError);
    }
  });

  it('refuses a document that was cut or has a byte changed', () => {
    const bytes = encodeView(sampleView());
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeView(bytes.subarray(0, length))).toThrow(/cannot be read/);
    }
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at]! ^= 0x10;
      expect(() => decodeView(damaged)).toThrow(LarderError);
    }
  });

  it.each([
    ['a partition twice on one node', { partitions: [samplePlacement({ successor: 'a', successorCopy: 2 })] }],
    ['a copy id twice', { partitions: [samplePlacement(), samplePlacement()] }],
    ['a copy id that was not given out yet', { nextCopy: 1 }],
    ['an epoch below the base', { baseEpoch: 6 }],
    ['a member twice', { members: [sampleMember('a'), sampleMember('a')] }],
    ['a weight of nothing', { members: [sampleMember('a', { weight: 0 })] }],
    ['two copies where one is kept', { config: { copies: 1, copiesMin: 2, timers: LAN_TIMERS } as const }],
  ])('refuses %s, though its checksum is right', (_, fault) => {
    expect(() => decodeView(encodeView(sampleView(fault)))).toThrow(/not a view of a cluster/);
  });

  it('refuses timers that would let two nodes serve', () => {
    const timers = { ...LAN_TIMERS, graceMs: 1_000 };
    expect(() => decodeView(encodeView(sampleView({ config: { copies: 2, copiesMin: 1, timers } })))).toThrow(
      /graceMs >= 1.02 x leaseMs \+ 30/,
    );
  });
});

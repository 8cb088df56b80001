import { LAN_TIMERS } from './timers.js';
import type { PartitionPlacement, ViewDocument, ViewMember } from './view-document.js';

/** Views for tests. */
export function sampleMember(id: string, options: Partial<ViewMember> = {}): ViewMember {
  const incarnation = Buffer.from(id.padEnd(16, '.')).toString('hex').slice(0, 32);
  return { id, incarnation, address: `${id}:7420`, zone: 'a', pool: '', weight: 1, draining: false, ...options };
}

/** Partition 0 of a cluster whose first node owns everything; what is not given is none. */
export function samplePlacement(options: Partial<PartitionPlacement> = {}): PartitionPlacement {
  return {
    epoch: 5,
    owner: 'a',
    ownerCopy: 1,
    successor: '',
    successorCopy: 0,
    learner: '',
    learnerCopy: 0,
    origin: 'fresh',
    wait: 0,
    lost: 0,
    ...options,
  };
}

export function sampleView(options: Partial<ViewDocument> = {}): ViewDocument {
  return {
    cluster: '00112233445566778899aabbccddeeff',
    version: 7,
    by: '0123456789abcdef',
    baseEpoch: 1,
    nextCopy: 100,
    config: { copies: 2, copiesMin: 1, timers: LAN_TIMERS },
    members: [sampleMember('a'), sampleMember('b'), sampleMember('c')],
    partitions: [samplePlacement()],
    ...options,
  };
}

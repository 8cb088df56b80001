import type { Clock } from '@larder/base';
import { PARTITION_COUNT } from '@larder/proto';

/** Versions are (epoch, seq): ordered, never reused, also not by a node that restarts without memory. */
export interface PartitionVersions {
  epochOf(partition: number): number;
  /** The next seq of the partition, from 1. */
  nextSeq(partition: number): number;
}

/**
 * While the view is static, every partition's versions start where the time is: the epoch counts the minutes and the
 * first seq the milliseconds of that minute, each with room for 67 million writes. So a node that was restarted, which
 * takes longer than a millisecond, goes on above everything that it wrote before.
 */
const EPOCH_ZERO_MS = Date.UTC(2026, 0, 1);
const EPOCH_MS = 60_000;
/** 60,000 of these stay below the 2^42 seqs that an entry's record has room for. */
const SEQS_PER_MS = 2 ** 26;

export function startTimeVersions(clock: Clock): PartitionVersions {
  const sinceZeroMs = Math.max(EPOCH_MS, clock.wallMs() - EPOCH_ZERO_MS);
  const epoch = Math.floor(sinceZeroMs / EPOCH_MS);
  const seqs = new Float64Array(PARTITION_COUNT).fill(Math.floor(sinceZeroMs % EPOCH_MS) * SEQS_PER_MS);
  return {
    epochOf: () => epoch,
    nextSeq: (partition) => ++seqs[partition]!,
  };
}

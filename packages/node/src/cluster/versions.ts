import type { Clock } from '@larder/base';
import { PARTITION_COUNT } from '@larder/proto';

/** Versions are (epoch, seq): ordered, never reused, also not by a node that restarts without memory. */
export interface PartitionVersions {
  epochOf(partition: number): number;
  /** The next seq of the partition, from 1. */
  nextSeq(partition: number): number;
}

const EPOCH_ZERO_MS = Date.UTC(2025, 0, 1);
/** A process takes longer to start than this, so that two starts of a node never share an epoch. Lasts 13 years. */
const EPOCH_MS = 100;

/** While the view is static every partition's epoch is the time at which its node started. */
export function startTimeVersions(clock: Clock): PartitionVersions {
  const epoch = Math.max(1, Math.floor((clock.wallMs() - EPOCH_ZERO_MS) / EPOCH_MS));
  const seqs = new Float64Array(PARTITION_COUNT);
  return {
    epochOf: () => epoch,
    nextSeq: (partition) => ++seqs[partition]!,
  };
}

import type { ClusterConfig, PartitionPlacement, ViewDocument, ViewMember } from './view-document.js';

export interface FoundingOptions {
  readonly config: ClusterConfig;
  /** Above any epoch that the database has seen of an earlier cluster. Default 1. */
  readonly baseEpoch?: number;
}

/** The first view: one member that owns everything, each partition a fresh copy. */
export function foundingView(
  options: FoundingOptions,
  count: number,
  self: ViewMember,
  cluster: string,
  by: string,
): ViewDocument {
  const baseEpoch = options.baseEpoch ?? 1;
  const partitions = Array.from(
    { length: count },
    (_, partition): PartitionPlacement => ({
      epoch: baseEpoch,
      owner: self.id,
      ownerCopy: partition + 1,
      successor: '',
      successorCopy: 0,
      learner: '',
      learnerCopy: 0,
      origin: 'fresh',
      wait: 0,
      lost: 0,
    }),
  );
  return {
    cluster,
    version: 1,
    by,
    baseEpoch,
    nextCopy: count + 1,
    config: options.config,
    members: [self],
    partitions,
  };
}

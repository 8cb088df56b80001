import type { ClusterConfig, PartitionPlacement, ViewDocument, ViewMember } from './view-document.js';

export interface FoundingOptions {
  readonly config: ClusterConfig;
  /**
   * Nodes that keep the view: 1, 3 or 5; default 3. With one its death must not end the service of all others: the view
   * lease has no end then, and in return a partition that has lost both its copies waits for one of their nodes.
   */
  readonly voters?: number;
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
    config: configOf(options),
    members: [self],
    partitions,
  };
}

function configOf({ config, voters }: FoundingOptions): ClusterConfig {
  if (voters !== 1) return config;
  const endless = Number.POSITIVE_INFINITY;
  return { ...config, timers: { ...config.timers, viewLeaseMs: endless, viewGraceMs: endless } };
}

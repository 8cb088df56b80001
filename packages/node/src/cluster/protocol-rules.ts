/**
 * The single rules of the protocol that the mutation test takes away, one at a time, to see that the simulator notices.
 * A node always runs with ALL_RULES.
 */
export const ALL_RULES = {
  /** A request id is applied once. */
  dedupe: true,
  /** An owner with a successor serves only while the successor's lease lasts. */
  pairLease: true,
  /** A grant under a view that its holder does not have yet does not count. */
  grantVersion: true,
  /** A node obeys views that list it under another incarnation no more. */
  incarnations: true,
  /** An owner that took over waits until the lease of the one before is over. */
  promotedWait: true,
  /** The owner of a fresh copy waits until nobody can be serving under the view before. */
  freshWait: true,
  /** A write commits only when the whole ack set has it. */
  commitAfterAcks: true,
  /** Leases count the larger of monotonic and wall time. */
  wallClockBound: true,
  /** A read waits until what it saw is committed. */
  committedReads: true,
  /** A miss waits until the removals before it are committed. */
  missesWait: true,
  /** A reply waits for every record that it observed. */
  repliesWait: true,
  /** Nobody serves who has not reached the view store for the view lease. */
  viewLease: true,
  /** A successor refuses records of another epoch. */
  epochCheck: true,
  /** A successor takes the next record only. */
  seqOrder: true,
  /** Acks and leases of proposed successors count until the compare-and-set is resolved. */
  union: true,
  /** An unknown compare-and-set is settled by one of one's own that succeeds, not by a read. */
  unresolvedUntilOwnCas: true,
  /** No learner while a wait is owed. */
  noLearnerWhileOwed: true,
  /** Who takes over from an owner that still owed a wait owes a longer one. */
  inheritedWait: true,
  /** A copy that is not the one named in the view is thrown away. */
  copyIds: true,
  /** A learner becomes successor only when it has all that is committed. */
  caughtUpLearner: true,
  /** A broken stream restarts a sync from nothing. */
  syncAttempts: true,
  /** Request ids and their results travel with a sync. */
  requestsInSync: true,
  /** A copy is whole only with the records that were pending when its chunks were read. */
  pendingInSync: true,
  /** Before a statement of the origin the other copies forget the key. */
  forgetFirst: true,
  /** A partition is not handed over while a statement is under way. */
  statementsHold: true,
  /** Who takes over keeps no loads until no statement of the owner before can be alive. */
  loadsWait: true,
  /** Who takes over writes no row before the owners before are fenced off in the database. */
  fenceRaised: true,
  /** They are fenced off when they can begin nothing more, not before. */
  fenceWaits: true,
  /** Only what is committed is written behind. */
  flushesCommitted: true,
  /** An owner stands still while it hands a partition over. */
  freezeForHandOff: true,
  /** Only a partition that was never used is begun anew where the plan wants it. */
  placesUnusedOnly: true,
  /** It stands still while the view is asked. */
  freezeForPlacing: true,
  /** What another node may hear is not given up. */
  hearsay: true,
  /** An invalidation is a record like any other, which the other copies have before it is answered. */
  invalidationsTravel: true,
  /** What was loaded before an invalidation is not kept. */
  loadsInvalidated: true,
  /** A lost partition is counted, so that its clients can know. */
  lostCounted: true,
  /** A timer that fires late accuses nobody. */
  lateTimerAmnesty: true,
  /** A voter answers after its file is on disk. */
  voterSyncsFirst: true,
  /** A voter keeps its promise not to accept a lower ballot. */
  voterPromise: true,
};

export type ProtocolRules = typeof ALL_RULES;

/**
 * Where the view is kept: one value that changes by compare-and-set. Small on purpose, so that etcd or a Kubernetes
 * object can stand behind it. No call throws; `done` is called exactly once, in a later turn, within the deadline that
 * the store was made with.
 */
export interface ViewStore {
  /** Linearizable: what it gives is at least as new as anything that was written before the call. */
  read(done: (reading: ViewReading) => void): void;
  /** Replaces the value if its version is still `version` (0: there is none); the new one's is `version` + 1. */
  cas(version: number, document: Uint8Array, done: (outcome: CasOutcome) => void): void;
  /** Calls back, if the store can do that, when the value may have changed. Returns how to stop it. */
  watch?(changed: () => void): () => void;
  /** Of the store's clock, monotonic: when another node was last seen to propose; -Infinity: never. For courtesy only. */
  readonly rivalMs?: number;
}

/** Undefined: the store could not be read in time. A document of version 0 is empty: there is no cluster yet. */
export type ViewReading = StoredView | undefined;

export interface StoredView {
  readonly version: number;
  readonly document: Uint8Array;
}

/** `unknown`: it may have been applied, or may be applied later. `lost` promises that it never was and never will be. */
export type CasOutcome = 'won' | 'lost' | 'unknown';

export const NO_VIEW: StoredView = { version: 0, document: new Uint8Array(0) };

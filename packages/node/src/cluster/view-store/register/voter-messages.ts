import type { StoredView } from '../view-store.js';
import type { Ballot } from './ballot.js';

/** `round` is the proposer's own number; replies return it. */
export type VoterRequest =
  | { readonly kind: 'state'; readonly round: number }
  | { readonly kind: 'prepare'; readonly round: number; readonly ballot: Ballot }
  | { readonly kind: 'accept'; readonly round: number; readonly ballot: Ballot; readonly value: StoredView };

export interface VoterReply {
  readonly kind: 'state' | 'promised' | 'accepted' | 'refused';
  readonly round: number;
  /** The disk that the voter votes with. */
  readonly diskId: string;
  /** The highest ballot that the voter has promised. */
  readonly promised: Ballot;
  /** With `state` and `promised`: what it accepted last. */
  readonly accepted: AcceptedView;
}

/** The ballot is NO_BALLOT if nothing was accepted yet. */
export interface AcceptedView {
  readonly ballot: Ballot;
  readonly value: StoredView;
}

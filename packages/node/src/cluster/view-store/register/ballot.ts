/** Proposals are ordered by their ballots; no two proposers ever draw the same. */
export interface Ballot {
  readonly counter: number;
  readonly incarnation: string;
}

export const NO_BALLOT: Ballot = { counter: 0, incarnation: '' };

export function isAbove(a: Ballot, b: Ballot): boolean {
  return a.counter === b.counter ? a.incarnation > b.incarnation : a.counter > b.counter;
}

export function isSame(a: Ballot, b: Ballot): boolean {
  return a.counter === b.counter && a.incarnation === b.incarnation;
}

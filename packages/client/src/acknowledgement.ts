import { LarderError, Acknowledgement as WireAcknowledgement } from '@larder/proto';
import { shownValue } from './shown-value.js';

/**
 * When a write resolves: `replicated`, once the owner and its successor hold it, so that it survives the death of any one
 * node; `owner`, once the owner holds it, which is faster, and it may be lost with the owner. A partition that has no
 * successor at the moment is answered by its owner alone: `copies` says what was reached.
 */
export type Acknowledgement = 'owner' | 'replicated';

export const WIRE_ACK_DEFAULT: number = WireAcknowledgement.replicated;

/** An acknowledgement as it travels. Throws BAD_ARGUMENT. */
export function wireAck(given: Acknowledgement | undefined, fallback: number): number {
  if (given === undefined) return fallback;
  if (given === 'replicated') return WireAcknowledgement.replicated;
  if (given === 'owner') return WireAcknowledgement.owner;
  throw new LarderError('BAD_ARGUMENT', `ack is ${shownValue(given)}; allowed are 'owner' and 'replicated'`, {
    outcome: 'not-applied',
  });
}

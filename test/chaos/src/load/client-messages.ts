import type { CallRecord } from '../check/call-record.js';

/** From the run to a client process. */
export type ToClient =
  | {
      readonly kind: 'start';
      readonly client: string;
      /** Among the client processes: this one audits each slot whose number leaves this remainder. */
      readonly index: number;
      readonly clientCount: number;
      readonly endpoints: readonly string[];
      readonly originMs: number;
      readonly callers: number;
      /** Mean pause of a caller between two calls. */
      readonly pauseMs: number;
      readonly timeoutMs: number;
    }
  /** Calls no more, audits the keys that are alive, tells the rest, and ends. */
  | { readonly kind: 'finish' };

/** A call, with the end of its key's life. */
export interface ToldCall {
  readonly record: CallRecord;
  readonly endMs: number;
}

/** From a client process to the run. */
export type FromClient =
  | { readonly kind: 'calls'; readonly calls: readonly ToldCall[]; readonly toldUntilMs: number }
  /** An error that no client may meet. */
  | { readonly kind: 'bug'; readonly message: string }
  | { readonly kind: 'finished' };

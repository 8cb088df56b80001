/** What clients saw, by key, for the linearizability checker. */
export type Operation =
  | { readonly kind: 'get' }
  | { readonly kind: 'set'; readonly value: string; readonly ttlMs: number }
  | { readonly kind: 'delete' }
  | { readonly kind: 'compare-and-set'; readonly expected: string | undefined; readonly value: string }
  | { readonly kind: 'increment' }
  | { readonly kind: 'get-or-set'; readonly value: string }
  | { readonly kind: 'expire'; readonly ttlMs: number }
  /** Of the whole cache, in the partition of the request. */
  | { readonly kind: 'clear' }
  /** Expiry or eviction by the owner. */
  | { readonly kind: 'remove' }
  /** A declared loss: from its beginning on, the entry may be gone. */
  | { readonly kind: 'lose' };

export type Result = string | number | boolean | undefined;

export interface Call {
  readonly operation: Operation;
  readonly client: string;
  readonly invokedMs: number;
  /** Infinity while, or if for ever, it is unknown what became of it. */
  returnedMs: number;
  result: Result;
}

export class History {
  readonly byKey = new Map<string, Call[]>();

  begin(key: string, operation: Operation, client: string, nowMs: number): Call {
    const call: Call = { operation, client, invokedMs: nowMs, returnedMs: Number.POSITIVE_INFINITY, result: undefined };
    const calls = this.byKey.get(key);
    if (calls === undefined) this.byKey.set(key, [call]);
    else calls.push(call);
    return call;
  }

  /** It certainly did nothing. */
  withdraw(key: string, call: Call): void {
    const calls = this.byKey.get(key)!;
    calls.splice(calls.indexOf(call), 1);
  }
}

import type { Call, Operation, Result } from './history.js';

/**
 * Whether one key's history could have come from a single copy that does one call at a time, each at some moment
 * between its invocation and its return: Wing and Gong's search (1993) with Lowe's memo of what was tried (2017), key by
 * key as in Porcupine. A call whose outcome is unknown may take effect at any time after its invocation, or never.
 */
export type Verdict = 'linearizable' | 'not-linearizable' | 'undecided';

/** Most histories need a few steps a call; where the search explodes the answer is `undecided`, and is counted. */
const STEPS_MAX = 3_000_000;

type State = string | undefined;

export function checkLinearizability(calls: readonly Call[]): Verdict {
  const history = relevant(calls).sort((a, b) => a.invokedMs - b.invokedMs);
  return new Search(history).run();
}

/** Without an outcome, what changes nothing says nothing. A write does, even if its value was never read: it was there. */
function relevant(calls: readonly Call[]): Call[] {
  return calls.filter(
    ({ returnedMs, operation }) =>
      returnedMs !== Number.POSITIVE_INFINITY || (operation.kind !== 'get' && operation.kind !== 'expire'),
  );
}

class Search {
  readonly #done: Uint8Array;
  readonly #tried = new Set<string>();
  /** All calls before this one are placed. */
  #first = 0;
  #left: number;
  #steps = 0;

  constructor(readonly history: readonly Call[]) {
    this.#done = new Uint8Array(history.length);
    this.#left = history.filter((call) => call.returnedMs !== Number.POSITIVE_INFINITY).length;
  }

  run(): Verdict {
    const stack: { index: number; state: State; first: number; isSure: boolean }[] = [];
    let state: State;
    let from = 0;
    for (;;) {
      if (this.#left === 0) return 'linearizable';
      const found = this.#steps > STEPS_MAX ? -1 : this.#next(from, state);
      if (found >= 0) {
        const next = apply(this.history[found]!, state) as { state: State };
        stack.push({ index: found, state, first: this.#first, isSure: isSure(this.history[found]!) });
        this.#place(found);
        state = next.state;
        from = this.#first;
        if (!this.#isNew(state)) from = this.history.length;
        continue;
      }
      if (this.#steps > STEPS_MAX) return 'undecided';
      const last = stack.pop();
      if (last === undefined) return 'not-linearizable';
      this.#unplace(last.index);
      this.#first = last.first;
      state = last.state;
      from = last.isSure ? this.history.length : last.index + 1;
    }
  }

  /** The next call that may come first of those that are left, or -1; a sure one before all others. */
  #next(from: number, state: State): number {
    const { history } = this;
    let earliestReturn = Number.POSITIVE_INFINITY;
    let found = -1;
    for (let index = this.#first; index < history.length; index++) {
      const call = history[index]!;
      if (call.invokedMs > earliestReturn) break;
      if (this.#done[index] === 1) continue;
      this.#steps++;
      if (index >= from && (found < 0 || isSure(call)) && apply(call, state) !== undefined) {
        if (isSure(call)) return index;
        found = index;
      }
      earliestReturn = Math.min(earliestReturn, call.returnedMs);
    }
    return found;
  }

  #place(index: number): void {
    this.#done[index] = 1;
    if (this.history[index]!.returnedMs !== Number.POSITIVE_INFINITY) this.#left--;
    while (this.#first < this.history.length && this.#done[this.#first] === 1) this.#first++;
  }

  #unplace(index: number): void {
    this.#done[index] = 0;
    if (this.history[index]!.returnedMs !== Number.POSITIVE_INFINITY) this.#left++;
  }

  #isNew(state: State): boolean {
    let name = `${this.#first}`;
    const window = Math.min(this.history.length, this.#first + 400);
    for (let index = this.#first; index < window; index++) if (this.#done[index] === 1) name += `,${index}`;
    name += `=${state ?? '\0'}`;
    if (this.#tried.has(name)) return false;
    this.#tried.add(name);
    return true;
  }
}

/**
 * A call that changes nothing, by its kind or by its answer. Where it may come first and its answer is right it comes
 * first: whatever else explains the others explains them after it too.
 */
function isSure({ operation, result, returnedMs }: Call): boolean {
  if (returnedMs === Number.POSITIVE_INFINITY) return false;
  return operation.kind === 'get' || operation.kind === 'expire' || result === false;
}

/** The state after the call, or undefined if it cannot have returned what it did. */
function apply({ operation, result, returnedMs }: Call, state: State): { state: State } | undefined {
  const known = returnedMs !== Number.POSITIVE_INFINITY;
  const { next, answer } = step(operation, state);
  return known && answer !== result ? undefined : { state: next };
}

function step(operation: Operation, state: State): { next: State; answer: Result } {
  switch (operation.kind) {
    case 'get':
      return { next: state, answer: state };
    case 'set':
      return { next: operation.value, answer: true };
    case 'delete':
      return { next: undefined, answer: state !== undefined };
    case 'compare-and-set': {
      const matches = state === operation.expected;
      return { next: matches ? operation.value : state, answer: matches };
    }
    case 'increment': {
      const count = Number(state ?? 0) + 1;
      return { next: String(count), answer: count };
    }
    case 'get-or-set':
      return { next: state ?? operation.value, answer: state ?? operation.value };
    case 'expire':
      return { next: state, answer: state !== undefined };
    case 'remove':
    case 'clear':
    case 'lose':
      return { next: undefined, answer: undefined };
  }
}

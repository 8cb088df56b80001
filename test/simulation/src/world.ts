/**
 * Time and order of everything that happens in a simulation. Events are run by their time, and in the order in which
 * they were scheduled where times are equal, so that a seed replays bit for bit.
 */
export class World {
  /** Milliseconds since the beginning, with fractions. */
  now = 0;
  /** Lines of the story, if it is wanted. */
  readonly story: string[] | undefined;
  readonly faults: Record<string, number> = {};
  #order = 0;
  readonly #heap: Event[] = [];

  constructor(tracing: boolean) {
    this.story = tracing ? [] : undefined;
  }

  after(delayMs: number, run: () => void): Event {
    const event: Event = { atMs: this.now + Math.max(0, delayMs), order: this.#order++, run };
    this.#push(event);
    return event;
  }

  /** Runs all events up to a time, or until `done` says so after one of them. */
  runUntil(untilMs: number, done?: () => boolean): void {
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs) {
      const event = this.#pop();
      this.now = event.atMs;
      event.run?.();
      if (done?.()) return;
    }
    this.now = untilMs;
  }

  /** The text is made only if somebody wants to read it. */
  tell(text: () => string): void {
    this.story?.push(`${this.now.toFixed(1).padStart(9)}  ${text()}`);
  }

  fault(name: string, text: () => string): void {
    this.faults[name] = (this.faults[name] ?? 0) + 1;
    this.tell(() => `FAULT ${name}: ${text()}`);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

export interface Event {
  readonly atMs: number;
  readonly order: number;
  /** Undefined: cancelled. */
  run: (() => void) | undefined;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

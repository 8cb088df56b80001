import { LarderError } from '@larder/proto';
import { shownValue } from './shown-value.js';

/** Who wants to know of which event. A listener that throws, or whose promise rejects, disturbs nobody else. */
export class Listeners<Events extends object> {
  readonly #listeners: Map<keyof Events, Set<(detail: Events[keyof Events]) => unknown>>;

  constructor(events: readonly (keyof Events)[]) {
    this.#listeners = new Map(events.map((event) => [event, new Set()]));
  }

  /** Returns how to remove it. Throws BAD_ARGUMENT for an event that there is not. */
  add<Event extends keyof Events>(event: Event, listener: (detail: Events[Event]) => void): () => void {
    const listeners = this.#listeners.get(event) as Set<(detail: Events[Event]) => unknown> | undefined;
    if (listeners === undefined || typeof listener !== 'function') {
      const allowed = [...this.#listeners.keys()].join(', ');
      throw new LarderError(
        'BAD_ARGUMENT',
        `on(${shownValue(event)}, ${shownValue(listener)}); allowed are ${allowed}, each with a function`,
      );
    }
    // A wrapper of its own, so that a listener that was added twice is told twice and removed one by one.
    const entry = (detail: Events[Event]): unknown => listener(detail);
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  emit<Event extends keyof Events>(event: Event, detail: Events[Event]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        const result = listener(detail);
        if (result instanceof Promise) result.catch(warn);
      } catch (error) {
        warn(error);
      }
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

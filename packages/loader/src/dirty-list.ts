import { assert } from '@larder/base';
import type { DirtyKey } from './dirty-key.js';

/** A doubly linked list, so that a failed batch goes back to the front and a key can leave from the middle. */
export class DirtyList {
  #first: DirtyKey | undefined;
  #last: DirtyKey | undefined;
  #length = 0;

  get first(): DirtyKey | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  pushBack(dirty: DirtyKey): void {
    dirty.previous = this.#last;
    dirty.next = undefined;
    if (this.#last !== undefined) this.#last.next = dirty;
    else this.#first = dirty;
    this.#last = dirty;
    this.#length++;
  }

  pushFront(dirty: DirtyKey): void {
    dirty.previous = undefined;
    dirty.next = this.#first;
    if (this.#first !== undefined) this.#first.previous = dirty;
    else this.#last = dirty;
    this.#first = dirty;
    this.#length++;
  }

  remove(dirty: DirtyKey): void {
    assert(this.#length > 0, 'removed from an empty list');
    if (dirty.previous !== undefined) dirty.previous.next = dirty.next;
    else this.#first = dirty.next;
    if (dirty.next !== undefined) dirty.next.previous = dirty.previous;
    else this.#last = dirty.previous;
    dirty.previous = undefined;
    dirty.next = undefined;
    this.#length--;
  }
}

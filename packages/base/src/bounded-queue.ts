/** First in, first out, with a bound: a ring that doubles up to `capacityMax`. `push` says no at the bound. */
export class BoundedQueue<T> {
  #items: (T | undefined)[] = new Array(16);
  #head = 0;
  #length = 0;

  constructor(readonly capacityMax: number) {}

  get length(): number {
    return this.#length;
  }

  push(item: T): boolean {
    if (this.#length === this.capacityMax) return false;
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length++) & (this.#items.length - 1)] = item;
    return true;
  }

  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  #grow(): void {
    const old = this.#items;
    this.#items = new Array(old.length * 2);
    for (let index = 0; index < this.#length; index++)
      this.#items[index] = old[(this.#head + index) & (old.length - 1)];
    this.#head = 0;
  }
}

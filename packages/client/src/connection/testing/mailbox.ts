/** What happened, in order, for a test to await one by one. */
export class Mailbox<Item> {
  readonly #items: Item[] = [];
  readonly #takers: ((item: Item) => void)[] = [];

  /** What happened and was not taken. */
  get length(): number {
    return this.#items.length;
  }

  put(item: Item): void {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  take(): Promise<Item> {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(item);
  }

  /** The next so many. */
  async takeMany(count: number): Promise<Item[]> {
    const items: Item[] = [];
    while (items.length < count) items.push(await this.take());
    return items;
  }
}

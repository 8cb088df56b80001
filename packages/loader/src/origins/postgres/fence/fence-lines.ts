/**
 * The lines that a node holds in the fence table: as many as it has connections, so that each statement under way locks
 * one that no other does. (A row that several transactions lock at once costs PostgreSQL a multixact each time.)
 */
export class FenceLines {
  readonly #free: string[];

  constructor(readonly all: readonly string[]) {
    this.#free = [...all];
  }

  /** For a statement that has a connection, so there is a free one. */
  take(): string {
    return this.#free.pop() ?? (this.all[0] as string);
  }

  giveBack(line: string): void {
    this.#free.push(line);
  }
}

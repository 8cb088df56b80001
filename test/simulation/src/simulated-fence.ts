import type { Member } from '@larder/node/internal';
import type { SimulatedDatabase } from './simulated-database.js';
import type { SimulatedProcess } from './simulated-process.js';

/**
 * What the loader's fence gate does, in a process of a simulated node: keeps rows of partitions that were taken over
 * away from the database until the owners before are fenced off there. Open for all if the database compares versions.
 */
export class SimulatedFence {
  /** Partition to the time, of the process, before which a raise is of no use. */
  readonly #shut = new Map<number, number>();
  /** The line that this node's statements name. */
  #line: number;
  #isOpen = false;
  #isRaising = false;

  constructor(
    readonly node: string,
    readonly process: SimulatedProcess,
    readonly database: SimulatedDatabase,
    readonly member: () => Member | undefined,
  ) {
    this.#line = database.openLine(node, () =>
      process.run(() => {
        this.#isOpen = true;
      }),
    );
  }

  get line(): number {
    return this.#line;
  }

  isShut(partition: number): boolean {
    if (!this.database.fenced || !this.#rules.fenceRaised) return false;
    return !this.#isOpen || this.#shut.has(partition);
  }

  ownerChanged(partition: number, owns: boolean): void {
    this.#shut.delete(partition);
    if (!owns) return;
    const { isInherited, beforeMineMs } = this.member()!.copyOf(partition)!;
    if (!isInherited) return;
    this.#shut.set(partition, this.#rules.fenceWaits ? beforeMineMs : Number.NEGATIVE_INFINITY);
    this.raise();
  }

  /** Once a tick, and when there is something new. */
  raise(): void {
    const nowMs = this.process.monotonicMs();
    const due = [...this.#shut].filter(([, notBeforeMs]) => notBeforeMs <= nowMs);
    if (!this.database.fenced || !this.#rules.fenceRaised || this.#isRaising || due.length === 0) return;
    this.#isRaising = true;
    this.database.raise(this.node, (done) =>
      this.process.run(() => {
        this.#isRaising = false;
        if (!done) return;
        // One that was taken over again meanwhile needs another raise.
        for (const [partition, atMs] of due) if (this.#shut.get(partition) === atMs) this.#shut.delete(partition);
      }),
    );
  }

  /** A statement was fenced: from now on this node's statements name its line as it is. */
  renew(): void {
    this.#line = this.database.lineOf(this.node);
  }

  get #rules() {
    return this.member()!.rules;
  }
}

import { TagFilter } from './tag-filter.js';

/** Tags that have gone stay in the filter for so long: to make it anew costs a look at the tags of all entries. */
const SWEEPS_PER_FILTER = 8;

/** What is known of one cache's invalidations and tags in one partition. All numbers are seqs of the partition. */
export class PartitionTags {
  /** Entries with lower seqs are dead. 0: none. */
  clearedSeq = 0;
  /** Entries with lower seqs are dead if they have any tag. */
  taggedSeq = 0;
  /** The last invalidation of a tag: who is not older need not be looked at closely. */
  latestTagSeq = 0;
  /** Tag to its last invalidation. */
  readonly invalidated = new Map<number, number>();
  /** Which tags there may be. */
  filter: TagFilter | undefined = undefined;
  /** The next filter, while a sweep sees which tags there are still. */
  nextFilter: TagFilter | undefined = undefined;
  /** What a sweep that is under way has to find dead. */
  sweptSeq = 0;

  #sweeps = 0;

  constructor(readonly filterBytes: number) {}

  get hasInvalidations(): boolean {
    return this.clearedSeq > 0 || this.latestTagSeq > 0;
  }

  /** An entry has this tag. */
  note(hash: number): void {
    this.filter ??= new TagFilter(this.filterBytes);
    this.filter.add(hash);
    this.nextFilter?.add(hash);
  }

  beginSweep(): void {
    this.sweptSeq = Math.max(this.clearedSeq, this.latestTagSeq);
    const isFilterOld = this.clearedSeq > 0 || ++this.#sweeps % SWEEPS_PER_FILTER === 0;
    this.nextFilter = this.filter && isFilterOld ? new TagFilter(this.filterBytes) : undefined;
  }

  /** No entry is left that was dead when the sweep began: what killed it is of no further use. Returns how many tags were forgotten. */
  endSweep(): number {
    const { sweptSeq, invalidated } = this;
    const before = invalidated.size;
    if (this.clearedSeq <= sweptSeq) this.clearedSeq = 0;
    if (this.taggedSeq <= sweptSeq) this.taggedSeq = 0;
    if (this.latestTagSeq <= sweptSeq) this.latestTagSeq = 0;
    for (const [hash, seq] of invalidated) if (seq <= sweptSeq) invalidated.delete(hash);
    if (this.nextFilter !== undefined) this.filter = this.nextFilter;
    this.nextFilter = undefined;
    return before - invalidated.size;
  }
}

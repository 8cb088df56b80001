import { ManualClock, type Random, seededRandom } from '@larder/base';
import { describe, expect, it } from 'vitest';
import { MemoryEntries } from '../replication/memory-entries.js';
import { RequestLog } from '../replication/request-log.js';
import { RequestTable } from '../replication/request-table.js';
import { ElapsedTime, LONG_AGO, type Mark } from './elapsed-time.js';
import { HeldCopy } from './held-copy.js';
import { PairLeases } from './pair-leases.js';
import { ALL_RULES } from './protocol-rules.js';
import { sampleMember, samplePlacement, sampleView } from './sample-view.js';
import { serveObstacle } from './serve-rule.js';
import { ServingTable, type ServingTableFacts } from './serving-table.js';
import type { ViewDocument } from './view-document.js';

const PARTITIONS = 12;
const NODES = ['a', 'b', 'c', 'd'];

/** Node a, whose facts a test changes at will. */
class Facts implements ServingTableFacts {
  readonly clock = new ManualClock();
  readonly time = new ElapsedTime(this.clock);
  readonly leases = new PairLeases(this.time);
  readonly rules = ALL_RULES;
  readonly self = sampleMember('a');
  readonly copies = new Map<number, HeldCopy>();
  readonly proposed = new Map<number, string>();
  view: ViewDocument | undefined;
  viewConfirmed: Mark = LONG_AGO;

  copyOf(partition: number): HeldCopy | undefined {
    return this.copies.get(partition);
  }
  incarnationOf(id: string): string {
    return this.view?.members.find((member) => member.id === id)?.incarnation ?? '';
  }
  proposedSuccessors(partition: number): readonly { node: string }[] {
    const node = this.proposed.get(partition);
    return node === undefined ? [] : [{ node }];
  }
  lease(id: string) {
    return this.leases.lease(this.incarnationOf(id));
  }

  confirm(): void {
    this.viewConfirmed = this.time.mark();
  }
  grant(id: string): void {
    this.leases.granted(this.incarnationOf(id), this.time.mark(), 1, 1);
  }
  /** Owner of everything, with successors by chance. */
  install(random: Random): void {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => {
      const owner = random.next() < 0.8 ? 'a' : 'b';
      const successor = ['', ...NODES][random.integer(5)]!;
      const place = successor === owner ? '' : successor;
      const copy = this.#copy(partition, random);
      return samplePlacement({ owner, ownerCopy: copy, successor: place, successorCopy: place === '' ? 0 : 999 });
    });
    this.view = sampleView({ members: NODES.map((id) => sampleMember(id)), partitions });
    this.leases.follow(this.view);
  }
  #copy(partition: number, random: Random): number {
    const copy = new HeldCopy(partition, partition + 1, new MemoryEntries(), new RequestLog(new RequestTable(1)), true);
    copy.phase = random.next() < 0.9 ? 'owner' : 'successor';
    copy.waitUntilMs = random.next() < 0.3 ? this.clock.monotonicMs() + 300 * random.next() : 0;
    (copy.entries as MemoryEntries).ready = random.next() < 0.9;
    if (random.next() < 0.9) this.copies.set(partition, copy);
    else this.copies.delete(partition);
    return random.next() < 0.9 ? copy.id : 500;
  }
}

function expectSame(table: ServingTable, facts: Facts): number {
  table.beginTurn();
  let served = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const serves = serveObstacle(partition, facts) === undefined;
    expect(table.serves(partition)).toBe(serves);
    if (serves) served++;
  }
  return served;
}

describe('serving table', () => {
  it('says what the serve rule says, whatever changes and whatever time it is', () => {
    const facts = new Facts();
    const random = seededRandom(11);
    const table = new ServingTable(PARTITIONS, facts);
    let served = expectSame(table, facts);
    for (let step = 0; step < 4_000; step++) {
      const partition = random.integer(PARTITIONS);
      const dice = random.next();
      if (dice < 0.02) {
        facts.install(random);
        table.rebuild();
      } else if (dice < 0.3) {
        facts.grant(NODES[random.integer(4)]!);
      } else if (dice < 0.35) {
        facts.confirm();
      } else if (dice < 0.4) {
        if (facts.proposed.delete(partition) === false) facts.proposed.set(partition, NODES[1 + random.integer(3)]!);
        table.rebuild();
      } else if (dice < 0.5) {
        const copy = facts.copyOf(partition);
        if (copy?.frozenMs === undefined) copy?.freeze(0);
        else copy.thaw();
        table.update(partition);
      } else {
        facts.clock.advance(random.integer(random.next() < 0.05 ? 12_000 : 200));
      }
      served += expectSame(table, facts);
    }
    expect(served).toBeGreaterThan(5_000);
  });

  it('serves nothing once it is closed', () => {
    const facts = new Facts();
    facts.install(seededRandom(1));
    facts.proposed.clear();
    facts.confirm();
    for (const id of NODES) facts.grant(id);
    const table = new ServingTable(PARTITIONS, facts);
    table.rebuild();
    expect(expectSame(table, facts)).toBeGreaterThan(0);
    table.close();
    table.rebuild();
    table.beginTurn();
    for (let partition = 0; partition < PARTITIONS; partition++) expect(table.serving(partition)).toBeUndefined();
  });
});

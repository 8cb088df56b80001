import { ALL_RULES, type ProtocolRules } from '@larder/node/internal';
import { describe, expect, it } from 'vitest';
import { checkDatabase } from './checkers/quiet-cluster.js';
import { Cluster, type WriteStrategy } from './cluster.js';
import type { Operation } from './history.js';
import type { Answer } from './operation-executor.js';
import { randomOptions, type SimulationOptions } from './options.js';

/** Stories told by hand, of things that chance brings together too rarely. */
const CALM: SimulationOptions = {
  ...randomOptions(1),
  nodes: 3,
  partitions: 3,
  keysPerPartition: 2,
  clients: 3,
  thinkMsMax: 50,
  copiesMin: 1,
  zones: 1,
  voters: 0,
  storeLossShare: 0,
  storeLateShare: 0,
  clockDriftMax: 0.005,
  network: { delayMsMin: 0.1, delayMsMax: 1, slowShare: 0, slowMsMax: 0, lossShare: 0, repeatShare: 0 },
  ttlShare: 0,
  writeBehindShare: 0,
  writeThroughShare: 0,
  evictions: false,
  invalidateEveryMs: 0,
  fenced: false,
};

/** Three nodes that have spread their partitions. */
function calmCluster(rules: ProtocolRules = ALL_RULES): Cluster {
  const cluster = new Cluster(CALM, rules);
  for (const node of cluster.nodes.values()) node.start();
  cluster.world.runUntil(8_000);
  expect(cluster.replicated()).toBe(true);
  return cluster;
}

const others = (cluster: Cluster, name: string): string[] =>
  [...cluster.nodes.keys()].filter((other) => other !== name);
const ownerOf = (cluster: Cluster, partition: number): string => cluster.chosen!.partitions[partition]!.owner;

let number = 0;

/** What a client is told that calls the owner of partition 0; empty until then. */
function call(cluster: Cluster, strategy: WriteStrategy, operation: Operation): Answer[] {
  const answers: Answer[] = [];
  const id = { client: 99, number: ++number, settledBelow: 0 };
  const request = {
    partition: 0,
    key: `story-${strategy}`,
    operation,
    id,
    retry: false,
    lost: 0,
    viewVersion: 0,
    strategy,
  };
  const node = cluster.nodes.get(ownerOf(cluster, 0))!;
  node.process.run(() => node.execute(request, (answer) => answers.push(answer)));
  return answers;
}

const set = (value: string): Operation => ({ kind: 'set', value, ttlMs: 0 });
const GET: Operation = { kind: 'get' };
const pass = (cluster: Cluster, ms: number): void => cluster.world.runUntil(cluster.world.now + ms);

function cutOff(cluster: Cluster, name: string): void {
  for (const other of others(cluster, name)) {
    cluster.network.cut(name, other);
    cluster.network.cut(other, name);
  }
}

describe('three nodes', () => {
  it('two cut off from each other: each has second copies elsewhere before the cut ends, and hardly a view changes then', () => {
    const cluster = calmCluster();
    const owner = ownerOf(cluster, 0);
    const { successor } = cluster.chosen!.partitions[0]!;
    cluster.network.cut(owner, successor);
    cluster.network.cut(successor, owner);
    pass(cluster, 2_000);
    expect(cluster.replicated()).toBe(false);
    pass(cluster, 4_000);
    expect(cluster.replicated()).toBe(true);
    const { version } = cluster.chosen!;
    pass(cluster, 20_000);
    expect(cluster.chosen!.version - version).toBeLessThan(10);
    expect(cluster.chosen!.partitions.every(({ lost }) => lost === 0)).toBe(true);
    cluster.network.heal(owner, successor);
    cluster.network.heal(successor, owner);
    pass(cluster, 10_000);
    expect(cluster.replicated()).toBe(true);
  });

  it('owner killed: its partitions are served again within two seconds, and nothing is lost', () => {
    const cluster = calmCluster();
    const name = ownerOf(cluster, 0);
    cluster.nodes.get(name)!.kill();
    cluster.world.runUntil(cluster.world.now + 2_000);
    expect(cluster.unserved()).toBe('');
    expect(cluster.world.faults.lost).toBeUndefined();
  });

  it('owner that all hear and that hears nobody: its partitions are served elsewhere within two and a half seconds', () => {
    const cluster = calmCluster();
    const name = ownerOf(cluster, 0);
    for (const other of others(cluster, name)) cluster.network.cut(other, name);
    cluster.store!.unreachableFrom.add(name);
    pass(cluster, 2_500);
    expect(cluster.chosen!.partitions.every(({ owner }) => owner !== name)).toBe(true);
    expect(cluster.unserved()).toBe('');
    expect(cluster.chosen!.members).toHaveLength(3);
    for (const other of others(cluster, name)) cluster.network.heal(other, name);
    cluster.store!.unreachableFrom.delete(name);
    pass(cluster, 10_000);
    expect(cluster.replicated()).toBe(true);
    expect(ownerOf(cluster, 0)).toBe(name);
    expect(cluster.world.faults.lost).toBeUndefined();
  });

  it('owner restarted at once: its partitions are served again, and it gets them back', () => {
    const cluster = calmCluster();
    const name = ownerOf(cluster, 0);
    cluster.nodes.get(name)!.kill();
    cluster.nodes.get(name)!.start();
    cluster.world.runUntil(cluster.world.now + 10_000);
    expect(cluster.unserved()).toBe('');
    expect(cluster.replicated()).toBe(true);
    expect(ownerOf(cluster, 0)).toBe(name);
  });

  it('two nodes that do not hear each other, for half a minute: what a third one hears is not lost', () => {
    const cluster = calmCluster();
    const [one, two] = [...cluster.nodes.keys()] as [string, string];
    cluster.network.cut(one, two);
    cluster.network.cut(two, one);
    cluster.world.runUntil(cluster.world.now + 30_000);
    expect(cluster.unserved()).toBe('');
    expect(cluster.world.faults.lost).toBeUndefined();
    expect(cluster.chosen!.members).toHaveLength(3);
  });

  it('owner without a successor cut off from everything: nobody serves beside it', () => {
    const story = (rules: ProtocolRules): void => {
      const cluster = calmCluster(rules);
      const name = ownerOf(cluster, 0);
      cutOff(cluster, name);
      cluster.world.runUntil(cluster.world.now + 3_000);
      cluster.store!.unreachableFrom.add(name);
      cluster.world.runUntil(cluster.world.now + 30_000);
      expect(cluster.unserved()).toBe('');
      expect(cluster.world.faults.lost).toBeGreaterThan(0);
    };
    expect(() => story(ALL_RULES)).not.toThrow();
    expect(() => story({ ...ALL_RULES, viewLease: false })).toThrow(/both node\d and node\d serve/);
    expect(() => story({ ...ALL_RULES, freshWait: false })).toThrow(/both node\d and node\d serve/);
  });

  it('drained: leaves with nothing lost, and its partitions stay served', () => {
    const cluster = calmCluster();
    const node = cluster.nodes.get(ownerOf(cluster, 0))!;
    node.gone = true;
    node.member!.drain();
    cluster.world.runUntil(cluster.world.now + 4_000);
    expect(node.member).toBeUndefined();
    expect(cluster.chosen!.members).toHaveLength(2);
    expect(cluster.unserved()).toBe('');
    expect(cluster.replicated()).toBe(true);
    expect(cluster.world.faults.lost).toBeUndefined();
  });

  it('view store down for eight seconds: everything stays served', () => {
    const cluster = calmCluster();
    cluster.store!.down = true;
    for (let step = 0; step < 80; step++) {
      cluster.world.runUntil(cluster.world.now + 100);
      expect(cluster.unserved()).toBe('');
    }
  });

  it('all killed: all begin anew, empty, and every loss is counted', () => {
    const cluster = calmCluster();
    for (const node of cluster.nodes.values()) node.kill();
    for (const node of cluster.nodes.values()) node.start();
    cluster.world.runUntil(cluster.world.now + 10_000);
    expect(cluster.unserved()).toBe('');
    expect(cluster.replicated()).toBe(true);
    expect(cluster.chosen!.partitions.every(({ lost }) => lost === 1)).toBe(true);
  });

  it('owner cut off: nobody is told of what it could not pass on, neither of a value nor of its absence', () => {
    const story = (rules: ProtocolRules): { value: Answer[]; kept: Answer[]; absence: Answer[] } => {
      const cluster = calmCluster(rules);
      call(cluster, 'none', set('old'));
      pass(cluster, 20);
      expect(call(cluster, 'none', GET)).toEqual([{ kind: 'done', result: 'old' }]);
      cutOff(cluster, ownerOf(cluster, 0));
      call(cluster, 'none', set('new'));
      const value = call(cluster, 'none', GET);
      const kept = call(cluster, 'none', { kind: 'get-or-set', value: 'other' });
      call(cluster, 'none', { kind: 'delete' });
      const absence = call(cluster, 'none', GET);
      pass(cluster, 100);
      return { value, kept, absence };
    };
    const seen = (result: string | undefined): Answer[] => [{ kind: 'done', result }];
    const nothing = { value: [], kept: [], absence: [] };
    const without = (rule: keyof ProtocolRules) => story({ ...ALL_RULES, [rule]: false });
    expect(story(ALL_RULES)).toEqual(nothing);
    expect(without('missesWait')).toEqual({ ...nothing, absence: seen(undefined) });
    expect(without('repliesWait')).toEqual({ ...nothing, kept: seen('new') });
    expect(without('committedReads')).toEqual({ ...nothing, value: seen('new'), absence: seen(undefined) });
  });

  it('owner cut off: what it could not pass on is not written behind', () => {
    const story = (rules: ProtocolRules): boolean => {
      const cluster = calmCluster(rules);
      cutOff(cluster, ownerOf(cluster, 0));
      call(cluster, 'behind', set('new'));
      cluster.database.statementMs = 5;
      pass(cluster, 300);
      return cluster.database.rows.has('story-behind');
    };
    expect(story(ALL_RULES)).toBe(false);
    expect(story({ ...ALL_RULES, flushesCommitted: false })).toBe(true);
  });

  it('row changed and invalidated while it is being loaded: what was loaded is not kept', () => {
    const story = (rules: ProtocolRules): Answer[] => {
      const cluster = calmCluster(rules);
      const row = (value: string): void =>
        void cluster.database.rows.set('story-outside', { epoch: 0, seq: 0, value: Buffer.from(value) });
      // How long a load takes is chance: of many some are under way when the row changes.
      for (let turn = 0; turn < 40; turn++) {
        row(`old ${turn}`);
        call(cluster, 'outside', { kind: 'clear' });
        pass(cluster, 5);
        call(cluster, 'outside', GET);
        pass(cluster, 5);
        row(`new ${turn}`);
        const cleared = call(cluster, 'outside', { kind: 'clear' });
        pass(cluster, 200);
        expect(cleared).toEqual([{ kind: 'done', result: undefined }]);
        const read = call(cluster, 'outside', GET);
        pass(cluster, 200);
        if (read[0]?.kind !== 'done' || read[0].result !== `new ${turn}`) return read;
      }
      return [];
    };
    expect(story(ALL_RULES)).toEqual([]);
    const late = story({ ...ALL_RULES, loadsInvalidated: false });
    expect(late).toEqual([{ kind: 'done', result: expect.stringMatching(/^old/) }]);
  });

  it('owner killed while its statement runs: what its successor loads meanwhile is not kept', () => {
    const story = (rules: ProtocolRules): void => {
      const cluster = calmCluster(rules);
      cluster.database.statementMs = 2;
      call(cluster, 'through', set('old'));
      pass(cluster, 50);
      cluster.database.statementMs = 1_450;
      call(cluster, 'through', set('new'));
      pass(cluster, 50);
      cluster.nodes.get(ownerOf(cluster, 0))!.kill();
      while (!cluster.serves(0)) pass(cluster, 10);
      const loaded = call(cluster, 'through', GET);
      pass(cluster, 150);
      expect(loaded).toEqual([{ kind: 'done', result: 'old' }]);
      pass(cluster, 1_500);
      cluster.keys[0]!.push({ partition: 0, name: 'story-through', counter: false, strategy: 'through' });
      checkDatabase(cluster);
      const again = call(cluster, 'through', GET);
      pass(cluster, 150);
      expect(again).toEqual([{ kind: 'done', result: 'new' }]);
    };
    expect(() => story(ALL_RULES)).not.toThrow();
    expect(() => story({ ...ALL_RULES, loadsWait: false })).toThrow(
      /the cache has story-through = old; its row is new/,
    );
    expect(() => story({ ...ALL_RULES, forgetFirst: false })).toThrow();
  });
});

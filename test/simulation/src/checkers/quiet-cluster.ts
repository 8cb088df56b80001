import { packedValue, type ReplicatedRecord } from '@larder/node/internal';
import type { Cluster } from '../cluster.js';
import { type SimulatedEntries, type SimulatedEntry, valueText } from '../simulated-entries.js';

/** When nothing is under way any more, owner and successor hold the same. */
export function checkReplicas(cluster: Cluster): void {
  cluster.chosen!.partitions.forEach(({ owner, successor }, partition) => {
    const owned = entriesAt(cluster, owner, partition);
    if (owned === undefined || successor === '') return;
    const followed = entriesAt(cluster, successor, partition);
    const replicator = cluster.nodes.get(owner)!.member!.holdings.owner(partition);
    // It may be on its way to another owner, or the end of a life may be on its way to the successor.
    if (replicator === undefined || !replicator.idle) return;
    for (const { name } of cluster.keys[partition]!) {
      const [ours, theirs] = [textOf(owned.get(name)), textOf(followed?.get(name))];
      if (ours !== theirs) cluster.fail(`${owner} has ${name} = ${ours}, its successor ${successor} has ${theirs}`);
    }
  });
}

/** Invariant 8: the database has what was acknowledged last, and no cache is older than its row. */
export function checkDatabase(cluster: Cluster): void {
  cluster.keys.forEach((keys, partition) => {
    const owned = entriesAt(cluster, cluster.chosen!.partitions[partition]!.owner, partition);
    for (const { name, strategy } of keys) {
      if (strategy === 'through') checkCached(cluster, name, owned?.get(name));
      const last = cluster.checkers.durable.lastOf(partition).get(name);
      const entry = owned?.get(name);
      if (strategy !== 'behind' || last === undefined || (entry === undefined && last.request === undefined)) continue;
      checkRow(cluster, name, last, entry);
    }
  });
}

function checkRow(cluster: Cluster, name: string, last: ReplicatedRecord, entry: SimulatedEntry | undefined): void {
  const row = cluster.database.rows.get(name);
  const stored = row?.value === undefined ? undefined : valueText(row.value);
  const wanted = recordText(last);
  if (entry?.dirty) cluster.fail(`${name} was not flushed`);
  if (stored !== wanted) cluster.fail(`the database has ${name} = ${stored}; acknowledged last was ${wanted}`);
}

function checkCached(cluster: Cluster, name: string, entry: SimulatedEntry | undefined): void {
  const row = cluster.database.rows.get(name)?.value;
  const [cached, stored] = [textOf(entry), row === undefined ? undefined : valueText(row)];
  if (cached !== undefined && cached !== stored)
    cluster.fail(`the cache has ${name} = ${cached}; its row is ${stored}`);
}

function entriesAt(cluster: Cluster, node: string, partition: number): ReadonlyMap<string, SimulatedEntry> | undefined {
  const copy = cluster.nodes.get(node)?.member?.holdings.copies.get(partition);
  return (copy?.entries as SimulatedEntries | undefined)?.entries;
}

function textOf(entry: SimulatedEntry | undefined): string | undefined {
  return entry && recordText(entry.record);
}

function recordText(record: ReplicatedRecord): string | undefined {
  const value = packedValue(record);
  return value && valueText(value);
}

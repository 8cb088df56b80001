import { isDeepStrictEqual } from 'node:util';
import type { ResolvedCachePolicy } from '@larder/loader';
import type { ResolvedNodeConfig } from '../config.js';
import { configError } from './problems.js';

/**
 * What a node that runs can take from an edited config: everything of a cache's policy but its origin, its memory and who
 * is evicted from it. The rest has been built into the node: connections, arenas, ids of caches by their place, which other nodes
 * share.
 */
export interface LiveChanges {
  /** Policies that are not as they were, by cache. */
  readonly policies: ReadonlyMap<string, ResolvedCachePolicy>;
}

/** Throws CONFIG, with every setting that only a restart can change; then nothing of the new config may be taken. */
export function liveChanges(running: ResolvedNodeConfig, edited: ResolvedNodeConfig): LiveChanges {
  const fixed = [...fixedSettings(running, edited), ...fixedCaches(running, edited)];
  if (fixed.length > 0) {
    throw configError(
      edited.file,
      fixed.map((path) => `${path}: changed; allowed: as it was when the node started. Restart the node to change it`),
    );
  }
  const changed = [...edited.caches].filter(([name, policy]) => !isDeepStrictEqual(running.caches.get(name), policy));
  return { policies: new Map(changed) };
}

/** Where each stands in the file; `caches` is looked at one by one. */
const SETTINGS: Readonly<Record<Exclude<keyof ResolvedNodeConfig, 'file' | 'caches'>, string>> = {
  memoryBytesMax: 'memory',
  valueBytesMax: 'limits.valueBytesMax',
  sessionsMax: 'limits.sessionsMax',
  transferBytesMax: 'limits.transferBytesMax',
  databases: 'databases',
  logLevel: 'logLevel',
  drainTimeoutMs: 'drainTimeout',
  copies: 'cluster.copies',
  copiesMin: 'cluster.minCopies',
  timers: 'cluster.timers',
};

function fixedSettings(running: ResolvedNodeConfig, edited: ResolvedNodeConfig): string[] {
  const names = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[];
  return names.filter((name) => !isDeepStrictEqual(running[name], edited[name])).map((name) => SETTINGS[name]);
}

function fixedCaches(running: ResolvedNodeConfig, edited: ResolvedNodeConfig): string[] {
  const names = [...running.caches.keys()];
  // A cache's id is its place.
  if (!isDeepStrictEqual(names, [...edited.caches.keys()])) return ['caches: their names or order'];
  return names.flatMap((name) => {
    const [before, after] = [running.caches.get(name)!, edited.caches.get(name)!];
    const paths: string[] = [];
    if (!isDeepStrictEqual(before.origin, after.origin)) paths.push('origin');
    if (before.memoryBytesMax !== after.memoryBytesMax) paths.push('memory');
    if (before.eviction !== after.eviction) paths.push('eviction');
    return paths.map((setting) => `caches.${name}.${setting}`);
  });
}

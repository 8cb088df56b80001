import { Histogram } from '@larder/base';
import { COUNTERS, type Counted } from './hit-watch.js';
import type { CallTimes } from './open-loop.js';

/** What became of the reads before and after a node was killed. All times are in Unix ms. */
export interface Loss {
  readonly calls: readonly CallTimes[];
  readonly counted: readonly Counted[];
  readonly beforeMs: number;
  readonly killedMs: number;
  readonly endMs: number;
}

/** Share of the hit ratio before that has to be reached again. */
const SHARE_BACK = 0.9;
/** So long a window of the hit ratio is. */
const WINDOW_MS = 1_000;
/** A silent node is given up after about a second, and its keys are served by others; this is more than that. */
const FAILOVER_MS = 3_000;

export function judgeLoss({ calls, counted, beforeMs, killedMs, endMs }: Loss) {
  const settledMs = killedMs + FAILOVER_MS;
  const hitRatioBefore = hitRatio(counted, beforeMs, killedMs);
  const before = phase(calls, beforeMs, killedMs);
  const after = phase(calls, settledMs, endMs);
  return {
    reads: { before, failover: phase(calls, killedMs, settledMs), after, allAfter: phase(calls, killedMs, endMs) },
    p99Ratio: rounded(after.p99Ms / before.p99Ms),
    hitRatio: {
      before: rounded(hitRatioBefore),
      lowest: rounded(lowestRatio(counted, killedMs, endMs)),
      after: rounded(hitRatio(counted, settledMs, endMs)),
    },
    hitRatioBackSeconds: backSeconds(counted, killedMs, endMs, hitRatioBefore * SHARE_BACK),
    misses: { before: causes(counted, beforeMs, killedMs), after: causes(counted, killedMs, endMs) },
    loadsPerSecond: {
      before: Math.round(loadsPerSecond(counted, beforeMs, killedMs)),
      after: Math.round(loadsPerSecond(counted, killedMs, endMs)),
    },
  };
}

/** Reads that were due in [fromMs, toMs). */
function phase(calls: readonly CallTimes[], fromMs: number, toMs: number) {
  const histogram = new Histogram();
  const failed: Record<string, number> = {};
  eachCall(calls, (dueMs, tookMs, code) => {
    if (dueMs < fromMs || dueMs >= toMs) return;
    histogram.record(tookMs);
    if (code !== '') failed[code] = (failed[code] ?? 0) + 1;
  });
  const { count, maxMs } = histogram;
  const [p50Ms, p99Ms] = [0.5, 0.99].map((share) => rounded(histogram.percentileMs(share))) as [number, number];
  return { count, failed, p50Ms, p99Ms, maxMs: rounded(maxMs) };
}

function eachCall(calls: readonly CallTimes[], visit: (dueMs: number, tookMs: number, code: string) => void): void {
  for (const { dueMs, tookMs, codes } of calls) {
    for (const [index, due] of dueMs.entries()) visit(due, tookMs[index]!, codes[index]!);
  }
}

function hitRatio(counted: readonly Counted[], fromMs: number, toMs: number): number {
  const [first, last] = ends(counted, fromMs, toMs);
  const hits = last.hits - first.hits;
  const reads = hits + last.misses - first.misses;
  return reads === 0 ? 0 : hits / reads;
}

function causes(counted: readonly Counted[], fromMs: number, toMs: number): Readonly<Record<string, number>> {
  const [first, last] = ends(counted, fromMs, toMs);
  const names = COUNTERS.filter((name) => name.startsWith('misses'));
  return Object.fromEntries(
    names.map((name) => [name, last[name] - first[name]] as const).filter(([, count]) => count > 0),
  );
}

function loadsPerSecond(counted: readonly Counted[], fromMs: number, toMs: number): number {
  const [first, last] = ends(counted, fromMs, toMs);
  return ((last.loads - first.loads) * 1000) / Math.max(1, last.atMs - first.atMs);
}

function ends(counted: readonly Counted[], fromMs: number, toMs: number): [Counted, Counted] {
  const within = counted.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const [first] = within;
  const last = within.at(-1);
  if (first === undefined || last === undefined) throw new Error(`the nodes were not asked from ${fromMs} to ${toMs}`);
  return [first, last];
}

/** By windows that follow each other. */
function ratiosAfter(counted: readonly Counted[], killedMs: number, endMs: number): { endMs: number; ratio: number }[] {
  const ratios = [];
  for (let fromMs = killedMs; fromMs + WINDOW_MS <= endMs; fromMs += WINDOW_MS) {
    ratios.push({ endMs: fromMs + WINDOW_MS, ratio: hitRatio(counted, fromMs, fromMs + WINDOW_MS) });
  }
  return ratios;
}

function lowestRatio(counted: readonly Counted[], killedMs: number, endMs: number): number {
  return Math.min(...ratiosAfter(counted, killedMs, endMs).map(({ ratio }) => ratio));
}

/** From the kill to the end of the first window behind the worst that reaches the goal; 0: none was below. Null: none has. */
function backSeconds(counted: readonly Counted[], killedMs: number, endMs: number, goal: number): number | null {
  const ratios = ratiosAfter(counted, killedMs, endMs);
  const lowest = Math.min(...ratios.map(({ ratio }) => ratio));
  if (lowest >= goal) return 0;
  const worst = ratios.findIndex(({ ratio }) => ratio === lowest);
  const back = ratios.slice(worst + 1).find(({ ratio }) => ratio >= goal);
  return back === undefined ? null : rounded((back.endMs - killedMs) / 1000);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

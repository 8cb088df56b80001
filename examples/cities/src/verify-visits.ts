import type { Larder } from '@larder/client';
import type pg from 'pg';
import { total } from './report/results.js';
import type { CacheName } from './workload/measurements.js';

const VISITS: CacheName = 'visits';
const FLUSH_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

/**
 * Write-behind acknowledges before the database has the write. So, when all is over: has every counter that was
 * acknowledged arrived? Resolves with how many have not, 10 s after the last write at the latest.
 */
export async function countMissingVisits(
  larder: Larder,
  pool: pg.Pool,
  counts: ReadonlyMap<number, number>,
): Promise<number> {
  await flushed(larder);
  const { rows } = await pool.query<{ missing: number }>(
    `SELECT count(*)::int AS missing
      FROM unnest($1::int[], $2::int[]) AS wanted (city_id, count)
      LEFT JOIN larder_demo.visits USING (city_id)
      WHERE visits.count IS DISTINCT FROM wanted.count`,
    [[...counts.keys()], [...counts.values()]],
  );
  return rows[0]?.missing ?? 0;
}

async function flushed(larder: Larder): Promise<void> {
  const endMs = performance.now() + FLUSH_TIMEOUT_MS;
  while (performance.now() < endMs) {
    const nodes = await larder.nodeStatistics();
    if (total(nodes, VISITS, 'pendingWrites') === 0) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

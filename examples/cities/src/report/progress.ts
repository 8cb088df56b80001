import type { Measurements } from '../workload/measurements.js';
import { grouped } from './table.js';

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

const TERMINAL_PERIOD_MS = 200;
const PLAIN_PERIOD_MS = 1_000;

/**
 * How the run goes, while it goes: on a terminal one line that is written over, elsewhere one line a second. Returns
 * the way to end it.
 */
export function showProgress(output: Output, measurements: Measurements, seconds: number): () => void {
  const startMs = performance.now();
  let lastMs = startMs;
  let lastOps = 0;
  const show = () => {
    const nowMs = performance.now();
    const opsPerSecond = ((measurements.ops - lastOps) * 1000) / (nowMs - lastMs);
    lastMs = nowMs;
    lastOps = measurements.ops;
    const elapsed = Math.min(seconds, (nowMs - startMs) / 1000);
    const text = progressText(elapsed, seconds, opsPerSecond, measurements);
    output.write(output.isTTY ? `\r${text}\x1b[K` : `${text}\n`);
  };
  const timer = setInterval(show, output.isTTY ? TERMINAL_PERIOD_MS : PLAIN_PERIOD_MS);
  return () => {
    clearInterval(timer);
    if (output.isTTY) output.write('\r\x1b[K');
  };
}

const BAR_LENGTH = 20;

function progressText(elapsed: number, seconds: number, opsPerSecond: number, measurements: Measurements): string {
  const done = Math.round((elapsed / seconds) * BAR_LENGTH);
  const bar = `${'#'.repeat(done)}${'.'.repeat(BAR_LENGTH - done)}`;
  const p99 = measurements.byCache.cities.latency.percentileMs(0.99).toFixed(1);
  const rate = grouped(Math.round(opsPerSecond));
  return `${bar} ${elapsed.toFixed(0)}/${seconds} s  ${rate} ops/s  p99 of cities ${p99} ms  errors ${measurements.errors}`;
}

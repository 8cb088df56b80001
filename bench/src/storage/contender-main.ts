import { Histogram, seededRandom } from '@larder/base';
import { measureChurn } from './churn.js';
import { type Contender, createContender } from './contender.js';
import type { ContenderReply, ContenderRequest, ContenderResult, ContenderSetting } from './contender-process.js';
import { newFrames, setKeyNumber } from './frames.js';

/**
 * The process of one contender: a fresh heap, nothing else in it. Takes its setting from the command line, then requests
 * from its parent, one at a time; ends when the parent closes the channel. Needs --expose-gc.
 */
const OPERATIONS = 1_000_000;
const GC_RUNS = 5;

// Written by ContenderProcess, from a ContenderSetting.
const setting = JSON.parse(process.argv[2] ?? '') as ContenderSetting;
const { entries } = setting;
const frames = newFrames();
const contender = createContender(setting.contender, frames, entries, setting.policy);
const random = seededRandom(entries);
const order = Uint32Array.from({ length: OPERATIONS }, () => random.integer(entries));
collect();
const heapBytesBefore = process.memoryUsage().heapUsed;

function perform({ kind }: ContenderRequest): ContenderResult {
  if (kind === 'fill') return fill(contender);
  if (kind === 'collect') return garbage();
  if (kind === 'churn') return measureChurn(setting.policy);
  return { perSecond: kind === 'delete' ? deletesPerSecond() : perSecond(kind) };
}

function fill({ set }: Contender): ContenderResult {
  const pauses = new Histogram();
  for (let number = 0; number < entries; number++) {
    setKeyNumber(frames.key, number);
    const startedMs = performance.now();
    set();
    pauses.record(performance.now() - startedMs);
  }
  return { setP999Ms: pauses.percentileMs(0.999), setMaxMs: pauses.maxMs };
}

function perSecond(kind: 'get' | 'set'): number {
  const startedMs = performance.now();
  for (let index = 0; index < OPERATIONS; index++) {
    setKeyNumber(frames.key, order[index]!);
    if (kind === 'set') contender.set();
    else if (!contender.get()) throw new Error(`entry ${order[index]} is gone`);
  }
  return perSecondOf(OPERATIONS, startedMs);
}

/** Each key once, in steps that visit all of them in an order unlike that of their insertion; then they are put back. */
function deletesPerSecond(): number {
  const count = Math.min(entries, OPERATIONS) >>> 1;
  const step = 7_919;
  const startedMs = performance.now();
  for (let index = 0; index < count; index++) {
    setKeyNumber(frames.key, (index * step) % entries);
    contender.delete();
  }
  const result = perSecondOf(count, startedMs);
  for (let index = 0; index < count; index++) {
    setKeyNumber(frames.key, (index * step) % entries);
    contender.set();
  }
  return result;
}

function garbage(): ContenderResult {
  collect();
  const heapBytes = process.memoryUsage().heapUsed - heapBytesBefore;
  const runs = Array.from({ length: GC_RUNS }, () => {
    const startedMs = performance.now();
    collect();
    return performance.now() - startedMs;
  });
  runs.sort((a, b) => a - b);
  return { fullGcMs: runs[GC_RUNS >> 1]!, heapBytesPerEntry: heapBytes / entries };
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  globalThis.gc();
}

function perSecondOf(count: number, startedMs: number): number {
  return Math.round((count * 1000) / (performance.now() - startedMs));
}

function send(reply: ContenderReply): void {
  process.send?.(reply);
}

process.on('message', (request: ContenderRequest) => {
  try {
    send({ result: perform(request) });
  } catch (error) {
    send({ trouble: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.once('disconnect', () => process.exit(0));
send({ result: {} });

import { freemem } from 'node:os';
import type { EvictionPolicyName } from '@larder/node/internal';
import { integer, integers, names, parseOptions } from './options.js';
import { CONTENDER_NAMES, type ContenderName } from './storage/contender.js';
import { ContenderProcess, type ContenderResult } from './storage/contender-process.js';

/**
 * The storage engine inside one process, beside lru-cache and a Map of objects: 20-byte keys, 100-byte values, random
 * keys of all that are there, bytes in and bytes out. Each contender has a process of its own; they take turns, and the
 * best of the rounds of each counts, as what others do on the machine can only make a round slower.
 *
 *   storage [--entries 1000000,10000000] [--rounds 5] [--only larder,map] [--policy adaptive]
 */
const POLICIES = ['adaptive', 'lru', 'lfu', 'fifo', 'ttl', 'random'] as const satisfies readonly EvictionPolicyName[];

/** What a contender takes for an entry, generously: one that does not fit the free memory of the machine is left out. */
const BYTES_PER_ENTRY: Readonly<Record<ContenderName, number>> = { larder: 220, lruCache: 600, map: 600 };

interface Measured {
  readonly getsPerSecond: number;
  readonly setsPerSecond: number;
  readonly deletesPerSecond: number;
}

interface Row {
  readonly entries: number;
  readonly larder: Measured | null;
  readonly lruCache: Measured | null;
  readonly map: Measured | null;
  readonly ratioToMap: number | null;
  readonly ratioToLruCache: number | null;
}

export async function run(argv: string[]): Promise<object> {
  const options = parseOptions(argv, {
    entries: integers({ otherwise: [1_000_000, 10_000_000], min: 1_000, max: 16_000_000 }),
    rounds: integer({ otherwise: 5, min: 1, max: 100 }),
    only: names(CONTENDER_NAMES),
    policy: { ...names(POLICIES), otherwise: ['adaptive'] as readonly EvictionPolicyName[] },
  });
  const policy = options.policy[0]!;
  const rows: Row[] = [];
  let own: ContenderResult = {};
  for (const entries of options.entries) {
    const { row, larder } = await compare(entries, options.rounds, options.only, policy);
    rows.push(row);
    own = larder;
  }
  const churn = options.only.includes('larder') ? await churnOf(policy) : {};
  const { fullGcMs, heapBytesPerEntry, setP999Ms, setMaxMs } = own;
  return {
    bench: 'storage',
    policy,
    rows,
    gc: { fullGcMs: rounded(fullGcMs), heapBytesPerEntry: rounded(heapBytesPerEntry) },
    growth: { setP999Ms: rounded(setP999Ms), setMaxMs: rounded(setMaxMs) },
    churn,
  };
}

async function compare(
  entries: number,
  rounds: number,
  wanted: readonly ContenderName[],
  policy: EvictionPolicyName,
): Promise<{ row: Row; larder: ContenderResult }> {
  const processes = new Map<ContenderName, ContenderProcess>();
  let larder: ContenderResult = {};
  try {
    for (const contender of wanted) {
      if (!fitsMemory(contender, entries)) continue;
      const started = await ContenderProcess.start({ contender, entries, policy });
      processes.set(contender, started);
      const filled = await started.ask('fill');
      report(`${entries} entries, ${contender}: filled`, filled);
      const collected = await started.ask('collect');
      report(`${entries} entries, ${contender}: full collection`, collected);
      if (contender === 'larder') larder = { ...filled, ...collected };
    }
    const best = await measureInTurns(processes, rounds);
    const gets = (name: ContenderName) => best.get(name)?.getsPerSecond;
    return {
      larder,
      row: {
        entries,
        larder: best.get('larder') ?? null,
        lruCache: best.get('lruCache') ?? null,
        map: best.get('map') ?? null,
        ratioToMap: ratio(gets('larder'), gets('map')),
        ratioToLruCache: ratio(gets('larder'), gets('lruCache')),
      },
    };
  } finally {
    for (const started of processes.values()) await started.stop();
  }
}

async function measureInTurns(
  processes: ReadonlyMap<ContenderName, ContenderProcess>,
  rounds: number,
): Promise<Map<ContenderName, Measured>> {
  const best = new Map<ContenderName, Measured>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, started] of processes) {
      const before = best.get(name);
      const faster = async (kind: 'get' | 'set' | 'delete', known: number | undefined): Promise<number> =>
        Math.max(known ?? 0, (await started.ask(kind)).perSecond ?? 0);
      best.set(name, {
        getsPerSecond: await faster('get', before?.getsPerSecond),
        setsPerSecond: await faster('set', before?.setsPerSecond),
        deletesPerSecond: await faster('delete', before?.deletesPerSecond),
      });
      report(`round ${round + 1}/${rounds}, ${name}, best so far`, best.get(name)!);
    }
  }
  return best;
}

async function churnOf(policy: EvictionPolicyName): Promise<object> {
  const started = await ContenderProcess.start({ contender: 'larder', entries: 1_000, policy });
  try {
    const { setP999Ms, liveShare, evictionsPerSet } = await started.ask('churn');
    return {
      setP999Ms: rounded(setP999Ms),
      liveShare: rounded(liveShare),
      evictionsPerSet: rounded(evictionsPerSet),
    };
  } finally {
    await started.stop();
  }
}

function fitsMemory(contender: ContenderName, entries: number): boolean {
  const bytes = entries * BYTES_PER_ENTRY[contender];
  if (bytes < freemem()) return true;
  process.stderr.write(
    `${contender} with ${entries} entries needs some ${bytes} bytes, free are ${freemem()}: left out\n`,
  );
  return false;
}

function ratio(own: number | undefined, other: number | undefined): number | null {
  return own === undefined || other === undefined ? null : Number((own / other).toFixed(2));
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toPrecision(4));
}

function report(what: string, result: object): void {
  process.stderr.write(`${what}: ${JSON.stringify(result)}\n`);
}

import { randomOptions } from './options.js';
import { simulate } from './simulation.js';

const from = Number(process.argv[2] ?? 0);
const count = Number(process.argv[3] ?? 1);
const trace = process.argv.includes('--trace');
const t0 = process.cpuUsage();
let failed = 0,
  acks = 0,
  undecided = 0;
const faults: Record<string, number> = {};
for (let seed = from; seed < from + count; seed++) {
  const o = simulate(randomOptions(seed), undefined, trace);
  acks += o.acknowledgedWrites;
  undecided += o.undecided;
  for (const [k, v] of Object.entries(o.faults)) faults[k] = (faults[k] ?? 0) + v;
  if (trace) console.log(JSON.stringify(randomOptions(seed)) + '\n' + o.story.join('\n'));
  if (o.failure) {
    failed++;
    console.log(`seed ${seed}: ${o.failure}`);
  }
}
console.log(JSON.stringify({ seeds: count, failed, acks, undecided, faults, cpuMs: process.cpuUsage(t0).user / 1000 }));

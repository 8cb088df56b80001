import { readFileSync } from 'node:fs';

/** Linux reports process times to user space in hundredths of a second on every architecture that Node runs on. */
const MICROSECONDS_PER_TICK = 10_000;

/** The times of all of these processes together; null where there is no /proc. */
export function processesCpuUs(pids: readonly number[]): number | null {
  let sum = 0;
  for (const pid of pids) {
    const cpuUs = processCpuUs(pid);
    if (cpuUs === null) return null;
    sum += cpuUs;
  }
  return sum;
}

/** User and system time of a process since its start, in microseconds, to 10 ms; null where there is no /proc. */
function processCpuUs(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the command in brackets, which may itself hold blanks and brackets; utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}

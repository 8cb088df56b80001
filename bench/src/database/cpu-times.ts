import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time of everything that takes part: this process, the nodes, and PostgreSQL with its backends. On a machine that
 * others use too it is worth more than operations a second. Linux only.
 */
export interface CpuTimes {
  readonly clientUs: number;
  readonly nodesUs: number;
  readonly postgresUs: number;
}

/** Linux reports process times in hundredths of a second. */
const MICROSECONDS_PER_TICK = 10_000;

/** Since the start of each process; undefined where there is no /proc. */
export function cpuTimes(nodePids: readonly number[], postgresPid: number): CpuTimes | undefined {
  const processes = readProcesses();
  if (processes === undefined) return undefined;
  const ofNodes = processes.filter(({ pid }) => nodePids.includes(pid));
  const postmaster = processes.filter(({ pid }) => pid === postgresPid);
  const backends = processes.filter(({ parentPid }) => parentPid === postgresPid);
  const { user, system } = process.cpuUsage();
  return {
    clientUs: user + system,
    nodesUs: sum(ofNodes.map(({ ownUs }) => ownUs)),
    postgresUs:
      sum([...postmaster, ...backends].map(({ ownUs }) => ownUs)) + sum(postmaster.map(({ reapedUs }) => reapedUs)),
  };
}

/** What one operation cost, in microseconds, between two readings; null where there are none. */
export function cpuPerOperation(
  before: CpuTimes | undefined,
  after: CpuTimes | undefined,
  operations: number,
): object | null {
  if (before === undefined || after === undefined) return null;
  const each = (name: keyof CpuTimes): number => Math.round(((after[name] - before[name]) / operations) * 10) / 10;
  const [client, nodes, postgres] = [each('clientUs'), each('nodesUs'), each('postgresUs')];
  return { client, nodes, postgres, all: Math.round((client + nodes + postgres) * 10) / 10 };
}

interface ProcessTimes {
  readonly pid: number;
  readonly parentPid: number;
  readonly ownUs: number;
  /** Of children that have ended. */
  readonly reapedUs: number;
}

function readProcesses(): ProcessTimes[] | undefined {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.flatMap((pid) => readProcess(Number(pid)) ?? []);
  } catch {
    return undefined;
  }
}

function readProcess(pid: number): ProcessTimes | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the command in brackets: state, ppid, ...; utime, stime, cutime and cstime are fields 14 to 17.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const us = (first: number): number =>
      ((fields[first] as number) + (fields[first + 1] as number)) * MICROSECONDS_PER_TICK;
    return { pid, parentPid: fields[1] as number, ownUs: us(11), reapedUs: us(13) };
  } catch {
    // It has ended between the two readings.
    return undefined;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

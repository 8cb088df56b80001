import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/**
 * Client and server on a core of their own, by Linux's `taskset`: without it the scheduler moves two busy processes
 * about, and figures differ by a third from run to run. It also means that no process uses more than one core.
 */
export interface Cores {
  readonly server: number;
  readonly client: number;
}

export function canPin(): boolean {
  if (availableParallelism() < 2) return false;
  return spawnSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' }).status === 0;
}

export const CORES: Cores = { server: 0, client: 1 };

/** Puts `taskset` before a command; undefined leaves it as it is. */
export function onOwnCore(core: number | undefined, command: readonly [string, ...string[]]): [string, ...string[]] {
  return core === undefined ? [...command] : ['taskset', '-c', String(core), ...command];
}

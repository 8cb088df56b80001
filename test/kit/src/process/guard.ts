import { spawn } from 'node:child_process';

/**
 * Reads a pipe whose other end only this process holds. End of file means that this process is gone, however it went,
 * and then the guarded process is told to stop, killed if it has not after ten seconds, and its folder removed.
 */
const SCRIPT = `
read -r dismissed && exit 0
kill -CONT "$1" 2>/dev/null; kill -"$2" "$1" 2>/dev/null
turns=0
while kill -0 "$1" 2>/dev/null && [ "$turns" -lt 100 ]; do sleep 0.1; turns=$((turns + 1)); done
kill -KILL "$1" 2>/dev/null
[ -z "$3" ] || rm -rf "$3"
`;

export interface GuardOptions {
  /** What asks the process to stop. Default: SIGTERM. */
  readonly signal?: NodeJS.Signals | undefined;
  /** A temporary folder to remove with it. */
  readonly folder?: string | undefined;
}

/** Makes sure that the process `pid` does not outlive this one. Returns the way to dismiss the guard. */
export function guard(pid: number, options: GuardOptions = {}): () => void {
  const signal = (options.signal ?? 'SIGTERM').slice('SIG'.length);
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'guard', String(pid), signal, options.folder ?? ''], {
    // A session of its own: Ctrl-C and the death of a process group must not take the guard first.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.on('error', () => {});
  shell.stdin.on('error', () => {});
  shell.unref();
  // It is a socket in fact, and must not keep this process alive.
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref();
  return () => void shell.stdin.end('dismissed\n');
}

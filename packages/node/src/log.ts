import pino from 'pino';

export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** Lines that nobody reads fast enough are dropped beyond this. */
const UNREAD_BYTES_MAX = 1024 * 1024;

/** One JSON object a line on stdout. Keys and values of entries are never logged. */
export function createLog(nodeId: string, level: string): Log {
  const options = { level, base: { node: nodeId }, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, { write: writeLine });
}

/**
 * Not pino's own destination: when the reader of the log is gone, that waits for it without end as the process exits
 * (sonic-boom 4.2.1, flushSync), and a node that was told to stop would have to be killed.
 */
function writeLine(line: string): void {
  const { stdout } = process;
  if (stdout.writableLength > UNREAD_BYTES_MAX) return;
  if (stdout.listenerCount('error') === 0) stdout.on('error', ignore);
  stdout.write(line);
}

function ignore(): void {}

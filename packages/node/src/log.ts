import pino from 'pino';

export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>;

/** One JSON object a line on stdout. Keys and values of entries are never logged. */
export function createLog(nodeId: string, level: string): Log {
  return pino({ level, base: { node: nodeId }, timestamp: pino.stdTimeFunctions.isoTime });
}

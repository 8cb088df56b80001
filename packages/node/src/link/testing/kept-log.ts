import type { Log } from '../../log.js';

/** A log that keeps its lines, as level and object. */
export class KeptLog {
  readonly lines: { readonly level: string; readonly event: string; readonly error?: string }[] = [];

  get asLog(): Log {
    const level = (name: string) => (line: object) => void this.lines.push({ level: name, event: '', ...line });
    const log = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
    return { ...log, fatal: level('fatal') };
  }
}

import { Histogram } from '@larder/base';

export const CACHE_NAMES = ['cities', 'visits', 'audit', 'sessions'] as const;
export type CacheName = (typeof CACHE_NAMES)[number];

/** What the callers of one cache saw. */
export interface CacheMeasurement {
  ops: number;
  errors: number;
  /** Statements that the application itself sent: those of cache-aside. */
  ownStatements: number;
  readonly latency: Histogram;
}

/** Counts and times every call from the caller's side. */
export class Measurements {
  readonly byCache: Readonly<Record<CacheName, CacheMeasurement>> = {
    cities: newMeasurement(),
    visits: newMeasurement(),
    audit: newMeasurement(),
    sessions: newMeasurement(),
  };
  /** The first of each kind of error, for the report. At most 10. */
  readonly errorTexts = new Set<string>();

  get ops(): number {
    return CACHE_NAMES.reduce((sum, name) => sum + this.byCache[name].ops, 0);
  }

  get errors(): number {
    return CACHE_NAMES.reduce((sum, name) => sum + this.byCache[name].errors, 0);
  }

  /** Passes on what becomes of the call. */
  async measure<T>(name: CacheName, call: () => Promise<T>): Promise<T> {
    const measurement = this.byCache[name];
    const startMs = performance.now();
    try {
      return await call();
    } catch (error) {
      this.#fail(name, error);
      throw error;
    } finally {
      measurement.ops++;
      measurement.latency.record(performance.now() - startMs);
    }
  }

  #fail(name: CacheName, error: unknown): void {
    this.byCache[name].errors++;
    if (this.errorTexts.size < 10) this.errorTexts.add(`${name}: ${error instanceof Error ? error.message : error}`);
  }
}

function newMeasurement(): CacheMeasurement {
  return { ops: 0, errors: 0, ownStatements: 0, latency: new Histogram() };
}

import { type Site, visit } from './visitor.js';

/** Visitors at the same time. Each waits for its answers before it goes on, as people do. */
export const VISITORS = 64;

export interface WorkloadOptions {
  readonly seconds: number;
  /** Ends the run early. */
  readonly signal: AbortSignal;
}

/** Lets the visitors visit until the time is over. Resolves, when the last page has loaded, with the seconds it took. */
export async function runWorkload(site: Site, { seconds, signal }: WorkloadOptions): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const visitor = async () => {
    while (performance.now() < endMs && !signal.aborted) await visit(site);
  };
  await Promise.all(Array.from({ length: VISITORS }, visitor));
  return (performance.now() - startMs) / 1000;
}

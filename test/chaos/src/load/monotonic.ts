/** Milliseconds of the machine's monotonic clock, which is the same in all of its processes. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

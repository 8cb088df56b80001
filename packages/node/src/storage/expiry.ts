/**
 * When an entry ends, in one word of its record, and a hint of it in eight bits of its index slot.
 *
 *   0                 never
 *   bit 31 clear      milliseconds on the node's clock modulo 2^31, for lives of up to 12.4 days
 *   bit 31 set        seconds on the node's clock, rounded up, for longer ones
 *
 * The wrapped form is right as long as an expired entry is found within 12.4 days of its end; the sweep finds it within
 * seconds, and if the entry has to stay all the same, gives it the other form. The hint ("class") is the 4-second tick of the end modulo 255, plus 1; 0 is "never". So a sweep reads slots
 * only, eight bytes apart, and touches a record only if its class has come; an entry that lives longer than 17 minutes
 * is looked at once in 17 minutes for nothing.
 */

const SECONDS = 0x80000000;
const MILLISECONDS_MASK = 0x7fffffff;
const SHORT_MS_MAX = 2 ** 30;

const TICK_MS_LOG2 = 12;
export const TICK_MS = 2 ** TICK_MS_LOG2;
export const CLASS_COUNT = 255;

/** `nowMs` is a whole number of milliseconds. `ttlMs` 0: never. */
export function encodeExpiry(nowMs: number, ttlMs: number): number {
  if (ttlMs === 0) return 0;
  const atMs = nowMs + Math.ceil(ttlMs);
  if (ttlMs > SHORT_MS_MAX) return (SECONDS | Math.ceil(atMs / 1000)) >>> 0;
  return atMs % 2 ** 31 || 1;
}

/** Above 0 while the entry lives. Not for 0, "never". */
export function remainingMs(expiry: number, nowMs: number): number {
  if (expiry >= SECONDS) return (expiry - SECONDS) * 1000 - nowMs;
  const difference = (expiry - (nowMs % 2 ** 31)) & MILLISECONDS_MASK;
  return difference < SHORT_MS_MAX + 1 ? difference : difference - 2 ** 31;
}

/** The end of an entry that stays although it has passed, rounded down, in the form that never wraps. */
export function passedExpiry(expiry: number, nowMs: number): number {
  if (expiry >= SECONDS) return expiry;
  return (SECONDS | Math.max(0, Math.floor((nowMs + remainingMs(expiry, nowMs)) / 1000))) >>> 0;
}

export function expiryClass(expiry: number, nowMs: number): number {
  if (expiry === 0) return 0;
  return (tickOf(nowMs + remainingMs(expiry, nowMs)) % CLASS_COUNT) + 1;
}

export function tickOf(atMs: number): number {
  return Math.floor(atMs / TICK_MS);
}

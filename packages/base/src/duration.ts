/** What a duration may look like, for error messages. */
export const DURATION_FORM = "milliseconds as a number, or a string like '500ms', '30s', '10m', '2h', '1d'";

export type Duration = number | string;

const UNIT_MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** The milliseconds of a duration, fractions kept; undefined if the value is not one (negative, infinite, no unit...). */
export function durationMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value.trim());
  if (match === null) return undefined;
  const unitMs = UNIT_MS.get(match[2] as string) as number;
  const durationMs = Number(match[1]) * unitMs;
  return Number.isFinite(durationMs) ? durationMs : undefined;
}

/** What a size may look like, for error messages. */
export const BYTE_SIZE_FORM = "bytes as a whole number, or a string like '512KiB', '64MiB', '2GiB'";

export type ByteSize = number | string;

const UNIT_BYTES = new Map([
  ['b', 1],
  ['kib', 1024],
  ['mib', 1024 ** 2],
  ['gib', 1024 ** 3],
  ['tib', 1024 ** 4],
]);

/**
 * The whole bytes of a size; undefined if the value is not one. Units are powers of 1,024 and say so: 'MB' is refused,
 * because half of its readers would take it for something else.
 */
export function byteSize(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*(b|kib|mib|gib|tib)$/i.exec(value.trim());
  if (match === null) return undefined;
  const bytes = Math.floor(Number(match[1]) * (UNIT_BYTES.get((match[2] as string).toLowerCase()) as number));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

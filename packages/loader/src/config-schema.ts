import { BYTE_SIZE_FORM, type ByteSize, byteSize, DURATION_FORM, type Duration, durationMs } from '@larder/base';
import { z } from 'zod';

/**
 * The pieces that configuration schemas are made of. Every `error` is a phrase that completes "allowed: ...", because
 * checkConfig words all mistakes the same way.
 */
export const durationSetting = (minMs: number, maxMs: number) =>
  z.custom<Duration>((value) => isDuration(value, minMs, maxMs), { error: durationForm(minMs, maxMs) });

export const durationOrNullSetting = (minMs: number, maxMs: number) =>
  z.custom<Duration | null>((value) => value === null || isDuration(value, minMs, maxMs), {
    error: `${durationForm(minMs, maxMs)}, or null`,
  });

function isDuration(value: unknown, minMs: number, maxMs: number): boolean {
  const ms = durationMs(value);
  return ms !== undefined && ms >= minMs && ms <= maxMs;
}

const durationForm = (minMs: number, maxMs: number) => `${DURATION_FORM}, from ${minMs} ms to ${maxMs} ms`;

export const byteSizeSetting = (minBytes: number, maxBytes: number) =>
  z.custom<ByteSize>(
    (value) => {
      const bytes = byteSize(value);
      return bytes !== undefined && bytes >= minBytes && bytes <= maxBytes;
    },
    { error: `${BYTE_SIZE_FORM}, from ${minBytes} to ${maxBytes} bytes` },
  );

export const countSetting = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};

export const shareSetting = (min: number, max: number) => {
  const error = `a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
};

export const choiceSetting = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, { error: names.map((name) => `'${name}'`).join(', ') });

export const nameSetting = (what: string) => z.string({ error: what }).min(1, { error: what });

/** An object of which every property is known. */
export const blockSetting = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `the settings ${Object.keys(shape).join(', ')}` : 'an object of settings',
  });

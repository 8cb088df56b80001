import { type Duration, durationMs } from '@larder/base';
import { KEY_BYTES_MAX } from '@larder/proto';
import { z } from 'zod';
import { blockSetting, countSetting, durationSetting, shareSetting } from './config-schema.js';

/** Which entries are reloaded before their life is over; see strategies/refresh-ahead.ts. */
export interface RefreshPolicy {
  /** A hit in this last part of an entry's life reloads it in the background; 0.01 to 1 of `ttl`. Default 0.5. */
  readonly fraction?: number | undefined;
  /** How often it is to be hit there first. Default 1. */
  readonly minHits?: number | undefined;
  /** In place of `fraction`: the hit decides by chance (XFetch); 1 is the usual factor, above it is earlier. 0.1 to 100. */
  readonly early?: number | undefined;
  /** `keys` are reloaded this often, hit or not. At least 100ms. */
  readonly interval?: Duration | undefined;
  /** At most 1,000. */
  readonly keys?: readonly string[] | undefined;
}

const KEYS_MAX = 1_000;
const KEYS_FORM = `1 to ${KEYS_MAX} different keys, each a text of 1 to ${KEY_BYTES_MAX} bytes`;

function areKeys(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > KEYS_MAX) return false;
  if (new Set(value).size < value.length) return false;
  return value.every((key) => typeof key === 'string' && key !== '' && Buffer.byteLength(key) <= KEY_BYTES_MAX);
}

export const refreshPolicySchema = blockSetting({
  fraction: shareSetting(0.01, 1).optional(),
  minHits: countSetting(1, 1_000_000).optional(),
  early: shareSetting(0.1, 100).optional(),
  interval: durationSetting(100, 24 * 3_600_000).optional(),
  keys: z.custom<readonly string[]>(areKeys, { error: KEYS_FORM }).optional(),
});

export interface ResolvedRefreshPolicy {
  readonly fraction: number;
  readonly hitsMin: number;
  /** 0: `fraction` decides. */
  readonly early: number;
  readonly intervalMs: number;
  readonly keys: readonly string[];
}

export function resolveRefreshPolicy(given: RefreshPolicy): ResolvedRefreshPolicy {
  return {
    fraction: given.fraction ?? 0.5,
    hitsMin: given.minHits ?? 1,
    early: given.early ?? 0,
    intervalMs: given.interval === undefined ? 0 : (durationMs(given.interval) as number),
    keys: given.keys ?? [],
  };
}

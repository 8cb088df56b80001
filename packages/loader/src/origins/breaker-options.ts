import { type Duration, durationMs } from '@larder/base';
import { blockSetting, countSetting, durationSetting, shareSetting } from '../config-schema.js';

/** When a database that fails is left alone; see breaker.ts. */
export interface BreakerOptions {
  /** So many failures in a row. Default 5. */
  readonly failures?: number | undefined;
  /** Or this share of the calls in `window`. Default 0.5. */
  readonly share?: number | undefined;
  /** If there were at least so many. Default 20. */
  readonly calls?: number | undefined;
  /** Default 10s. */
  readonly window?: Duration | undefined;
  /** Between two probes of a database that is left alone. Default 1s. */
  readonly probe?: Duration | undefined;
}

export const breakerSchema = blockSetting({
  failures: countSetting(1, 10_000).optional(),
  share: shareSetting(0.01, 1).optional(),
  calls: countSetting(1, 1_000_000).optional(),
  window: durationSetting(100, 3_600_000).optional(),
  probe: durationSetting(10, 600_000).optional(),
});

export interface ResolvedBreakerOptions {
  readonly failures: number;
  readonly share: number;
  readonly calls: number;
  readonly windowMs: number;
  readonly probeMs: number;
}

export function resolveBreakerOptions(given: BreakerOptions): ResolvedBreakerOptions {
  return {
    failures: given.failures ?? 5,
    share: given.share ?? 0.5,
    calls: given.calls ?? 20,
    windowMs: durationMs(given.window ?? '10s') as number,
    probeMs: durationMs(given.probe ?? '1s') as number,
  };
}

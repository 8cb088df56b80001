import {
  type Clock,
  DURATION_FORM,
  type Duration,
  durationMs as parseDuration,
  type Random,
  systemClock,
  systemRandom,
} from '@larder/base';
import { LarderError } from '@larder/proto';
import type { Codec } from './codecs/codec.js';
import { json } from './codecs/json.js';

export interface ConnectOptions {
  /**
   * Some of the cluster's nodes, `host:port`, as a list or as `'larder://a:7000,b:7000'`, or a function that finds them.
   * The others are learnt from the first that answers.
   */
  readonly endpoints: string | readonly string[] | (() => Promise<readonly string[]>);
  /** Codec of caches that name none. Default: JSON. */
  readonly codec?: Codec<unknown>;
  /** How long a call may take before TIMEOUT, unless it says otherwise. Default 1 s; 1 ms to 10 min. */
  readonly timeout?: Duration;
  /** How long `connect` looks for a node that answers. Default 5 s. */
  readonly connectTimeout?: Duration;
  /** Shown in the nodes' logs. Default `larder-client`; up to 128 characters. */
  readonly name?: string;
  /** For tests. */
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface ResolvedConnectOptions {
  readonly endpoints: () => Promise<readonly string[]>;
  readonly codec: Codec<unknown>;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
}

const TIMEOUT_MS_MAX = 600_000;

/** Throws BAD_ARGUMENT that names the option. */
export function resolveConnectOptions(options: ConnectOptions): ResolvedConnectOptions {
  const { endpoints } = options;
  const list = typeof endpoints === 'function' ? undefined : endpointList(endpoints);
  return {
    endpoints: async () => list ?? endpointList(await (endpoints as () => Promise<readonly string[]>)()),
    codec: options.codec ?? json(),
    timeoutMs: timeoutMs('timeout', options.timeout, 1_000),
    connectTimeoutMs: timeoutMs('connectTimeout', options.connectTimeout, 5_000),
    name: (options.name ?? 'larder-client').slice(0, 128),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

/** A duration between 1 ms and 10 min, or the fallback where there is none. Throws BAD_ARGUMENT. */
export function timeoutMs(name: string, given: Duration | undefined, fallbackMs: number): number {
  if (given === undefined) return fallbackMs;
  const parsedMs = durationMs(name, given);
  if (parsedMs >= 1 && parsedMs <= TIMEOUT_MS_MAX) return Math.ceil(parsedMs);
  throw badOption(`${name} is ${JSON.stringify(given)}; allowed are 1 ms to 10 min`);
}

/** Milliseconds of a duration. Throws BAD_ARGUMENT that names the option. */
export function durationMs(name: string, given: Duration): number {
  const parsedMs = parseDuration(given);
  if (parsedMs !== undefined) return parsedMs;
  throw badOption(`${name} is ${JSON.stringify(given)}; allowed are ${DURATION_FORM}`);
}

const ENDPOINT = /^(\[[0-9a-fA-F:]+\]|[^\s:/,]+):(\d{1,5})$/;

function endpointList(given: string | readonly string[]): readonly string[] {
  const list = typeof given === 'string' ? given.replace(/^larder:\/\//, '').split(',') : given;
  if (!Array.isArray(list) || list.length === 0) throw badOption('endpoints is empty; give at least one host:port');
  return list.map((endpoint) => {
    const match = ENDPOINT.exec(String(endpoint).trim());
    if (match && Number(match[2]) > 0 && Number(match[2]) <= 65_535) return match[0];
    throw badOption(`endpoints holds ${JSON.stringify(endpoint)}; allowed is host:port`);
  });
}

function badOption(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}

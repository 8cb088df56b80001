import {
  type Clock,
  DURATION_FORM,
  type Duration,
  durationMs as parseDuration,
  type Random,
  systemClock,
  systemRandom,
} from '@larder/base';
import { LarderError, SESSION_OPERATIONS_MAX } from '@larder/proto';
import { type Acknowledgement, WIRE_ACK_DEFAULT, wireAck } from './acknowledgement.js';
import { type Codec, checkedCodec } from './codecs/codec.js';
import { json } from './codecs/json.js';
import { type Endpoints, resolveEndpoints } from './endpoints.js';
import { shownValue } from './shown-value.js';

export interface ConnectOptions {
  /**
   * Some of the cluster's nodes, `host:port`, as a list or as `'larder://a:7000,b:7000'`, or a function that finds them.
   * The others are learnt from the first that answers. Asked again should all known nodes be gone.
   */
  readonly endpoints: Endpoints;
  /** Codec of caches that name none. Default: JSON. */
  readonly codec?: Codec<unknown>;
  /**
   * How long a call may take before TIMEOUT, unless it says otherwise. Default 5 s: the death of a node takes 1.1 s of
   * them, and a call that spans it is not to fail. 1 ms to 10 min.
   */
  readonly timeout?: Duration;
  /** How long `connect` looks for a node that answers. Default 5 s; 1 ms to 10 min. */
  readonly connectTimeout?: Duration;
  /** When writes resolve, unless their cache or call says otherwise. Default `replicated`. */
  readonly ack?: Acknowledgement;
  /** Ends `connect` with ABORTED; of no effect once it has resolved. */
  readonly signal?: AbortSignal;
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
  readonly pendingBytesMax: number;
  /** Retries that may be made at once after a quiet time. */
  readonly retryTokensMax: number;
  /** As it travels. */
  readonly ack: number;
  readonly signal: AbortSignal | undefined;
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
}

const CONNECT_OPTIONS = ['endpoints', 'codec', 'timeout', 'connectTimeout', 'ack', 'signal', 'name', 'clock', 'random'];
const TIMEOUT_MS_DEFAULT = 5_000;
const TIMEOUT_MS_MAX = 600_000;
/** Of values on their way to one node. */
const PENDING_BYTES_MAX = 256 * 1024 * 1024;
const NAME_LENGTH_MAX = 128;

/** Throws BAD_ARGUMENT that names the option. */
export function resolveConnectOptions(options: ConnectOptions): ResolvedConnectOptions {
  if (typeof options !== 'object' || options === null) {
    throw badOption(`the options of connect are ${shownValue(options)}; give at least { endpoints: 'host:port' }`);
  }
  checkNames('connect', options, CONNECT_OPTIONS);
  return {
    endpoints: resolveEndpoints(options.endpoints),
    codec: checkedCodec(options.codec ?? json()),
    timeoutMs: timeoutMs('timeout', options.timeout, TIMEOUT_MS_DEFAULT),
    connectTimeoutMs: timeoutMs('connectTimeout', options.connectTimeout, 5_000),
    pendingBytesMax: PENDING_BYTES_MAX,
    // A node's whole window of calls.
    retryTokensMax: SESSION_OPERATIONS_MAX,
    ack: wireAck(options.ack, WIRE_ACK_DEFAULT),
    signal: options.signal,
    name: clientName(options.name ?? 'larder-client'),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

/** A duration between 1 ms and 10 min, or the fallback where there is none. Throws BAD_ARGUMENT. */
export function timeoutMs(name: string, given: Duration | undefined, fallbackMs: number): number {
  if (given === undefined) return fallbackMs;
  const parsedMs = durationMs(name, given);
  if (parsedMs >= 1 && parsedMs <= TIMEOUT_MS_MAX) return Math.ceil(parsedMs);
  throw badOption(`${name} is ${shownValue(given)}; allowed are 1 ms to 10 min`);
}

/** Milliseconds of a duration. Throws BAD_ARGUMENT that names the option. */
export function durationMs(name: string, given: Duration): number {
  const parsedMs = parseDuration(given);
  if (parsedMs !== undefined) return parsedMs;
  throw badOption(`${name} is ${shownValue(given)}; allowed are ${DURATION_FORM}`);
}

/** A misspelt option would be passed over in silence. Throws BAD_ARGUMENT. */
export function checkNames(what: string, options: object, allowed: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!allowed.includes(name))
      throw badOption(`${what} has no option ${shownValue(name)}; there are ${allowed.join(', ')}`);
  }
}

function clientName(given: unknown): string {
  if (typeof given === 'string' && given.length <= NAME_LENGTH_MAX) return given;
  throw badOption(`name is ${shownValue(given)}; allowed is a string of up to ${NAME_LENGTH_MAX} characters`);
}

function badOption(message: string): LarderError {
  return new LarderError('BAD_ARGUMENT', message, { outcome: 'not-applied' });
}

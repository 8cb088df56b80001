import { sleep } from '@larder/base';
import { type ClientView, LarderError, toLarderError } from '@larder/proto';
import { unlessAborted } from './abortable.js';
import { requestViewOnce } from './connection/view-request.js';
import { Larder } from './larder.js';
import { type ConnectOptions, type ResolvedConnectOptions, resolveConnectOptions } from './options.js';

/** Between two rounds over the endpoints. */
const ROUND_PAUSE_MS = 100;
/** What one endpoint may take before the next is asked: its share of the time that is left, within these. */
const ENDPOINT_MS_MIN = 50;
const ENDPOINT_MS_MAX = 1_000;

/**
 * A client of the cluster that the endpoints belong to, ready for calls. Asks one endpoint after the other for the view,
 * from a random one on and round after round, for up to `connectTimeout`: a cluster that is just starting is waited for.
 * Rejects with BAD_ARGUMENT for wrong options, with ABORTED by its signal, and with UNAVAILABLE, naming each endpoint's
 * cause, if none answers.
 */
export async function connect(options: ConnectOptions): Promise<Larder> {
  const resolved = resolveConnectOptions(options);
  const view = await unlessAborted(findView(resolved), resolved.signal, 'connect');
  return new Larder(view, resolved);
}

async function findView(options: ResolvedConnectOptions): Promise<ClientView> {
  const { clock, signal } = options;
  const deadlineMs = clock.monotonicMs() + options.connectTimeoutMs;
  const causes = new Map<string, LarderError>();
  while (true) {
    const endpoints = await findEndpoints(options, causes);
    const first = options.random.integer(endpoints.length);
    for (let step = 0; step < endpoints.length; step++) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || signal?.aborted) throw unreachable(options, causes);
      const endpoint = endpoints[(first + step) % endpoints.length] as string;
      try {
        return await requestViewOnce(endpoint, clock.wallMs() + shareMs(leftMs, endpoints.length - step));
      } catch (error) {
        note(causes, endpoint, toLarderError(error));
      }
    }
    if (signal?.aborted || clock.monotonicMs() + ROUND_PAUSE_MS >= deadlineMs) throw unreachable(options, causes);
    await sleep(clock, ROUND_PAUSE_MS);
  }
}

/** The last question has little time left: that it was not answered says less than what was answered before. */
function note(causes: Map<string, LarderError>, endpoint: string, error: LarderError): void {
  if (error.code !== 'TIMEOUT' || !causes.has(endpoint)) causes.set(endpoint, error);
}

function shareMs(leftMs: number, endpointsLeft: number): number {
  return Math.min(leftMs, ENDPOINT_MS_MAX, Math.max(ENDPOINT_MS_MIN, leftMs / endpointsLeft));
}

/** A function that finds them may fail for a while, like anything that asks a network. Its bad answers do not pass. */
async function findEndpoints(
  options: ResolvedConnectOptions,
  causes: Map<string, LarderError>,
): Promise<readonly string[]> {
  try {
    return await options.endpoints();
  } catch (error) {
    if (error instanceof LarderError && error.code === 'BAD_ARGUMENT') throw error;
    causes.set('endpoints()', toLarderError(error));
    return [];
  }
}

function unreachable(options: ResolvedConnectOptions, causes: ReadonlyMap<string, LarderError>): LarderError {
  const each = [...causes].map(([endpoint, error]) => `${endpoint}: ${error.reason}`).join('; ');
  return new LarderError('UNAVAILABLE', `no endpoint answered within ${options.connectTimeoutMs} ms (${each})`, {
    cause: [...causes.values()][0],
  });
}

import { sleep } from '@larder/base';
import { type ClientView, LarderError } from '@larder/proto';
import { fetchViewOnce } from './connection/node-connection.js';
import { Larder } from './larder.js';
import { type ConnectOptions, type ResolvedConnectOptions, resolveConnectOptions } from './options.js';

/** Between two rounds over the endpoints. */
const ROUND_PAUSE_MS = 100;
/** What one endpoint may take before the next is asked. */
const ENDPOINT_TIMEOUT_MS = 1_000;

/**
 * A client of the cluster that the endpoints belong to, ready for calls. Asks one endpoint after the other for the view,
 * from a random one on, for up to `connectTimeout`. Rejects with BAD_ARGUMENT for wrong options and with UNAVAILABLE,
 * naming each endpoint's cause, if none answers.
 */
export async function connect(options: ConnectOptions): Promise<Larder> {
  const resolved = resolveConnectOptions(options);
  return new Larder(await findView(resolved), resolved);
}

async function findView(options: ResolvedConnectOptions): Promise<ClientView> {
  const { clock } = options;
  const deadlineMs = clock.monotonicMs() + options.connectTimeoutMs;
  const causes = new Map<string, LarderError>();
  while (true) {
    const endpoints = await options.endpoints();
    const first = options.random.integer(endpoints.length);
    for (let step = 0; step < endpoints.length; step++) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) throw unreachable(options, causes);
      const endpoint = endpoints[(first + step) % endpoints.length] as string;
      try {
        return await fetchViewOnce(endpoint, clock.wallMs() + Math.min(leftMs, ENDPOINT_TIMEOUT_MS));
      } catch (error) {
        causes.set(endpoint, error as LarderError);
      }
    }
    if (clock.monotonicMs() + ROUND_PAUSE_MS >= deadlineMs) throw unreachable(options, causes);
    await sleep(clock, ROUND_PAUSE_MS);
  }
}

function unreachable(options: ResolvedConnectOptions, causes: ReadonlyMap<string, LarderError>): LarderError {
  const each = [...causes].map(([endpoint, error]) => `${endpoint}: ${error.reason}`).join('; ');
  return new LarderError('UNAVAILABLE', `no endpoint answered within ${options.connectTimeoutMs} ms (${each})`, {
    cause: [...causes.values()][0],
  });
}

import { Backoff, type Clock, type Random, sleep } from '@larder/base';
import { LarderError, PEER_PROTOCOL_VERSION, type SharedSettings, toLarderError } from '@larder/proto';
import type { Log } from '../log.js';
import { type ClusterDescription, checkDescription, type WireDescription } from './cluster-description.js';
import { LinkChannel } from './link-channel.js';
import { callPeer } from './unary-call.js';

/** How a node that is told to join learns whom: it asks the addresses in turn, until one of them answers. */
export interface AskClusterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of this node. */
  readonly settings: SharedSettings;
  /** Given up after that. Default 60,000. */
  readonly timeoutMs?: number;
  /** Default 1,024. */
  readonly partitionCount?: number;
}

const TIMEOUT_MS = 60_000;
const CALL_MS = 1_000;
const AGAIN = { firstMs: 100, maxMs: 2_000, jitter: 0.5 };

/**
 * Throws INCOMPATIBLE if those that answer do not fit this node, and UNAVAILABLE, with what became of the last try, if
 * nobody answered in time.
 */
export async function askCluster(
  addresses: readonly string[],
  options: AskClusterOptions,
): Promise<ClusterDescription> {
  const { clock, random, log, timeoutMs = TIMEOUT_MS } = options;
  const untilMs = clock.monotonicMs() + timeoutMs;
  const backoff = new Backoff(AGAIN, random);
  for (let round = 1; ; round++) {
    const faults: LarderError[] = [];
    for (const address of addresses) {
      const answer = await askOne(address, options);
      if (!(answer instanceof LarderError)) return answer;
      faults.push(answer);
    }
    const misfit = faults.find(({ code }) => code === 'INCOMPATIBLE' || code === 'BAD_ARGUMENT');
    if (misfit !== undefined) throw misfit;
    const restMs = backoff.nextMs();
    if (clock.monotonicMs() + restMs > untilMs) throw nobody(addresses, timeoutMs, faults);
    if (round === 1) log.warn({ event: 'join-waits', addresses, error: faults.at(-1)?.message });
    await sleep(clock, restMs);
  }
}

async function askOne(address: string, options: AskClusterOptions): Promise<ClusterDescription | LarderError> {
  const name = `the node at ${address}`;
  try {
    const { clock, settings, partitionCount } = options;
    return checkDescription(await describe(address, name, clock), name, settings, partitionCount);
  } catch (error) {
    return toLarderError(error);
  }
}

function describe(address: string, name: string, clock: Clock): Promise<WireDescription> {
  const channel = new LinkChannel(address);
  return new Promise<WireDescription>((resolve, reject) => {
    const deadlineMs = clock.wallMs() + CALL_MS;
    const request = { protocol: PEER_PROTOCOL_VERSION };
    callPeer<WireDescription>(channel.client, 'Describe', request, deadlineMs, name, (error, response) => {
      if (error === undefined) resolve(response!);
      else reject(error);
    });
  }).finally(() => channel.close());
}

function nobody(addresses: readonly string[], timeoutMs: number, faults: readonly LarderError[]): LarderError {
  const reasons = faults.map(({ reason }) => reason).join('; ');
  return new LarderError(
    'UNAVAILABLE',
    `no node of ${addresses.join(', ')} answered within ${timeoutMs} ms: ${reasons}`,
    { cause: faults.at(-1) },
  );
}

import type { ChaosNetwork, NetworkKind } from './chaos-network.js';
import { NamespaceNetwork } from './namespace-network.js';
import { ProxyNetwork } from './proxy-network.js';

export interface NetworkNeeds {
  readonly delay: boolean;
  /** Default: namespaces where they are permitted and can do what is needed, else the proxy. */
  readonly kind?: NetworkKind | undefined;
}

/** Says on standard error why it took the proxy. Rejects if neither is possible, or not the one that was asked for. */
export async function openNetwork({ delay, kind }: NetworkNeeds): Promise<ChaosNetwork> {
  if (kind === 'proxy') return ProxyNetwork.open();
  try {
    return await openNamespaces(delay);
  } catch (error) {
    if (kind === 'namespaces') throw error;
    console.error(`network: the proxy, because ${error instanceof Error ? error.message : String(error)}`);
    return ProxyNetwork.open();
  }
}

async function openNamespaces(delay: boolean): Promise<ChaosNetwork> {
  const network = await NamespaceNetwork.open();
  if (!delay || (await network.canDelay())) return network;
  await network.close();
  throw new Error('the kernel has no netem queue, which delays packets in namespaces');
}

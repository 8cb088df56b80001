import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ClusterDescription, describeHandler } from './cluster-description.js';
import type { OpenedViewStore } from './open-view-store.js';
import type { PeerLinks } from './peer-links.js';

/** PeerService of larder/v1/peer.proto: what a node answers to other nodes. */
export function peerHandlers(parts: {
  readonly links: Pick<PeerLinks, 'accept' | 'partitionCount'>;
  readonly viewStore: Pick<OpenedViewStore, 'vote'>;
  readonly describe: () => ClusterDescription;
}): UntypedServiceImplementation {
  const { links, viewStore, describe } = parts;
  return {
    Link: links.accept,
    Vote: viewStore.vote,
    Describe: describeHandler(describe, links.partitionCount),
  };
}

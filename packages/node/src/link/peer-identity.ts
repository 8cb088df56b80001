import { LarderError, PEER_PROTOCOL_VERSION, type PeerIdentity } from '@larder/proto';
import { MEMBER_ID_BYTES_MAX } from '../cluster/view-document.js';
import { parseAddress } from '../config/address.js';

/** What every node says of itself, and what is wrong with what another says. */

const BITS_128 = /^[0-9a-f]{32}$/;

/** Why this node will not speak with that one: INCOMPATIBLE, or BAD_ARGUMENT for what no node of Larder would say. */
export function faultOfPeer(peer: PeerIdentity, self: PeerIdentity): LarderError | undefined {
  if (peer.protocol !== PEER_PROTOCOL_VERSION) {
    return incompatible(`it speaks protocol ${peer.protocol}; node ${self.node} speaks ${PEER_PROTOCOL_VERSION}`);
  }
  if (peer.partitionCount !== self.partitionCount) {
    return incompatible(
      `it has ${peer.partitionCount} partitions; node ${self.node} was built for ${self.partitionCount}`,
    );
  }
  const formFault = faultOfForm(peer);
  if (formFault !== undefined) return new LarderError('BAD_ARGUMENT', `not a node of Larder: ${formFault}`);
  if (peer.cluster !== '' && self.cluster !== '' && peer.cluster !== self.cluster) {
    return incompatible(`it belongs to cluster ${peer.cluster}, node ${self.node} to ${self.cluster}`);
  }
  return undefined;
}

function faultOfForm({ node, cluster, incarnation, address }: PeerIdentity): string | undefined {
  if (node === '' || Buffer.byteLength(node) > MEMBER_ID_BYTES_MAX) {
    return `its id has ${Buffer.byteLength(node)} bytes; allowed are 1 to ${MEMBER_ID_BYTES_MAX}`;
  }
  if (!BITS_128.test(incarnation)) return 'its incarnation is not 128 bits';
  if (cluster !== '' && !BITS_128.test(cluster)) return 'its cluster is not 128 bits';
  return parseAddress(address) === undefined ? 'its address is not host:port' : undefined;
}

function incompatible(what: string): LarderError {
  return new LarderError('INCOMPATIBLE', what);
}

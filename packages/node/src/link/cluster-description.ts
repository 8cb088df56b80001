import type { sendUnaryData } from '@grpc/grpc-js';
import { LarderError, PARTITION_COUNT, PEER_PROTOCOL_VERSION, type SharedSettings } from '@larder/proto';
import { parseAddress } from '../config/address.js';
import { faultOfSettings } from './shared-settings.js';
import type { NodeAddress } from './voter-client.js';

/** What a node tells one that wants to join its cluster: DescribeResponse of larder/v1/peer.proto. */
export interface ClusterDescription extends SharedSettings {
  /** The node that answers. */
  readonly node: string;
  /** 128 bits in hex; '' if it has not joined a cluster yet. */
  readonly cluster: string;
  /** 0: it has no view yet. */
  readonly viewVersion: number;
  readonly voters: readonly NodeAddress[];
  readonly members: readonly NodeAddress[];
}

export interface WireDescription extends ClusterDescription {
  readonly protocol: number;
  readonly partitionCount: number;
}

/** The handler of PeerService.Describe. */
export function describeHandler(describe: () => ClusterDescription, partitionCount = PARTITION_COUNT) {
  return (_call: unknown, callback: sendUnaryData<WireDescription>): void => {
    callback(null, { ...describe(), protocol: PEER_PROTOCOL_VERSION, partitionCount });
  };
}

/** Throws INCOMPATIBLE if its node and this one do not fit, and BAD_ARGUMENT if it says what no node would say. */
export function checkDescription(
  wire: WireDescription,
  name: string,
  settings: SharedSettings,
  partitionCount = PARTITION_COUNT,
): ClusterDescription {
  const { protocol, node, cluster, viewVersion, voters, members, caches, copies } = wire;
  if (protocol !== PEER_PROTOCOL_VERSION) {
    throw new LarderError(
      'INCOMPATIBLE',
      `${name} speaks protocol ${protocol}; this node speaks ${PEER_PROTOCOL_VERSION}`,
    );
  }
  if (wire.partitionCount !== partitionCount) {
    const theirs = `${name} has ${wire.partitionCount} partitions`;
    throw new LarderError('INCOMPATIBLE', `${theirs}; this node was built for ${partitionCount}`);
  }
  const fault = faultOfSettings(wire, settings, name);
  if (fault !== undefined) throw fault;
  const ids = new Set(voters.map(({ id }) => id));
  const areSound = voters.every(({ id, address }) => id !== '' && parseAddress(address) !== undefined);
  if (![1, 3, 5].includes(voters.length) || ids.size !== voters.length || !areSound) {
    const list = voters.map(({ id, address }) => `${id}=${address}`).join(', ');
    throw new LarderError('BAD_ARGUMENT', `${name} describes a cluster with the voters ${list || 'none'}`);
  }
  return { node, cluster, viewVersion, voters, members, caches, copies };
}

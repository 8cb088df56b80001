import { writeNumber } from './peer-record.js';
import { LENGTH_DELIMITED, VARINT, WireReader } from './wire-reader.js';
import { WireWriter } from './wire-writer.js';

/** Peer of larder/v1/peer.proto, which heads each frame of a link, and the greeting that answers the first. */
export interface PeerIdentity {
  readonly protocol: number;
  readonly partitionCount: number;
  readonly cluster: string;
  readonly node: string;
  readonly incarnation: string;
  readonly address: string;
}

/** What the configuration of all nodes of a cluster must have in common, as far as one may run with another at all. */
export interface SharedSettings {
  /** The names of the caches. A cache's place is its number in records; of two nodes one may have more, at the end. */
  readonly caches: readonly string[];
  readonly copies: number;
}

export interface PeerGreeting {
  readonly peer: PeerIdentity;
  readonly settings: SharedSettings;
}

/** In LinkRequest, and of `receiver` in LinkResponse. */
export const TAG_SENDER = (1 << 3) | LENGTH_DELIMITED;
/** In LinkResponse. */
const TAG_CACHE = (2 << 3) | LENGTH_DELIMITED;
const TAG_COPIES = (3 << 3) | VARINT;

/** LinkResponse: the receiver's greeting. */
export function peerGreeting({ peer, settings }: PeerGreeting): Buffer {
  const writer = new WireWriter(512);
  writer.message(TAG_SENDER, (inner) => writePeer(inner, peer));
  for (const name of settings.caches) writer.string(TAG_CACHE, name);
  writeNumber(writer, TAG_COPIES, settings.copies);
  return writer.take();
}

export function writePeer(writer: WireWriter, peer: PeerIdentity): void {
  writeNumber(writer, (1 << 3) | VARINT, peer.protocol);
  writeNumber(writer, (2 << 3) | VARINT, peer.partitionCount);
  writer.string((3 << 3) | LENGTH_DELIMITED, peer.cluster);
  writer.string((4 << 3) | LENGTH_DELIMITED, peer.node);
  writer.string((5 << 3) | LENGTH_DELIMITED, peer.incarnation);
  writer.string((6 << 3) | LENGTH_DELIMITED, peer.address);
}

/** The greeting in a LinkResponse, if it has one. */
export function readGreeting(response: Buffer): PeerGreeting | undefined {
  const reader = new WireReader();
  reader.reset(response);
  let peer: PeerIdentity | undefined;
  const caches: string[] = [];
  let copies = 0;
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag === TAG_SENDER) {
      const end = reader.length() + reader.at;
      peer = readPeer(response, reader.at, end);
      reader.at = end;
    } else if (tag === TAG_CACHE) caches.push(reader.string());
    else if (tag === TAG_COPIES) copies = reader.uint32();
    else reader.skip(tag & 7);
  }
  return peer && { peer, settings: { caches, copies } };
}

export function readPeer(bytes: Buffer, start: number, end: number): PeerIdentity {
  const reader = new WireReader();
  reader.reset(bytes, start, end);
  const peer = { protocol: 0, partitionCount: 0, cluster: '', node: '', incarnation: '', address: '' };
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag === ((1 << 3) | VARINT)) peer.protocol = reader.uint32();
    else if (tag === ((2 << 3) | VARINT)) peer.partitionCount = reader.uint32();
    else if (tag === ((3 << 3) | LENGTH_DELIMITED)) peer.cluster = reader.string();
    else if (tag === ((4 << 3) | LENGTH_DELIMITED)) peer.node = reader.string();
    else if (tag === ((5 << 3) | LENGTH_DELIMITED)) peer.incarnation = reader.string();
    else if (tag === ((6 << 3) | LENGTH_DELIMITED)) peer.address = reader.string();
    else reader.skip(tag & 7);
  }
  return peer;
}

import { PARTITION_COUNT } from '../limits.js';
import { LENGTH_DELIMITED, malformed, VARINT, type WireReader } from './wire-reader.js';
import { varintBytes, type WireWriter } from './wire-writer.js';

export interface ViewNode {
  readonly id: string;
  readonly address: string;
}

/** What a client needs to route: the part of the cluster's view that travels to it. */
export interface ClientView {
  readonly version: number;
  readonly nodes: readonly ViewNode[];
  /** For each partition the index of its owner in `nodes`. */
  readonly owners: Uint16Array;
}

export function writeView(writer: WireWriter, view: ClientView): void {
  writer.reserve(12);
  writer.varint(1 << 3);
  writer.varint(view.version);
  for (const node of view.nodes) {
    writer.message((2 << 3) | LENGTH_DELIMITED, (inner) => {
      inner.string((1 << 3) | LENGTH_DELIMITED, node.id);
      inner.string((2 << 3) | LENGTH_DELIMITED, node.address);
    });
  }
  let bytes = 0;
  for (const owner of view.owners) bytes += varintBytes(owner);
  writer.reserve(bytes + 12);
  writer.varint((3 << 3) | LENGTH_DELIMITED);
  writer.varint(bytes);
  for (const owner of view.owners) writer.varint(owner);
}

/** Reads the View that lies between the reader's position and `end`. */
export function readView(reader: WireReader, end: number): ClientView {
  let version = 0;
  const nodes: ViewNode[] = [];
  const owners: number[] = [];
  while (reader.at < end) {
    const tag = reader.uint32();
    if (tag === 1 << 3) version = reader.varint();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) nodes.push(readViewNode(reader));
    else if (tag === ((3 << 3) | LENGTH_DELIMITED)) readOwners(reader, owners);
    else if (tag === ((3 << 3) | VARINT)) owners.push(reader.uint32());
    else reader.skip(tag & 7);
  }
  return checkedView({ version, nodes, owners });
}

/** The checks that every view passes, whichever codec it came through. */
export function checkedView(raw: {
  version: number;
  nodes: readonly ViewNode[];
  owners: readonly number[];
}): ClientView {
  if (raw.owners.length !== PARTITION_COUNT) {
    throw malformed(`a view of ${raw.owners.length} partitions where ${PARTITION_COUNT} are due`, 0);
  }
  for (const owner of raw.owners) {
    if (!(owner < raw.nodes.length)) throw malformed(`owner ${owner} in a view of ${raw.nodes.length} nodes`, 0);
  }
  return { version: raw.version, nodes: raw.nodes, owners: Uint16Array.from(raw.owners) };
}

function readOwners(reader: WireReader, owners: number[]): void {
  const length = reader.length();
  const end = reader.at + length;
  while (reader.at < end) {
    if (owners.length > PARTITION_COUNT) throw malformed('too many partitions in a view', reader.at);
    owners.push(reader.uint32());
  }
}

function readViewNode(reader: WireReader): ViewNode {
  const length = reader.length();
  const end = reader.at + length;
  let id = '';
  let address = '';
  while (reader.at < end) {
    const tag = reader.uint32();
    if (tag === ((1 << 3) | LENGTH_DELIMITED)) id = reader.string();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) address = reader.string();
    else reader.skip(tag & 7);
  }
  return { id, address };
}

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
  /** For each partition how often all its copies were lost and it began anew, empty. Absent if none ever was. */
  readonly lost?: Uint32Array;
  /** Versions count within one cluster. Absent: the node did not say which one it is of. */
  readonly cluster?: string;
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
  writePacked(writer, 3, view.owners);
  if (view.lost?.some((count) => count > 0)) writePacked(writer, 4, view.lost);
  if (view.cluster !== undefined) writer.string((5 << 3) | LENGTH_DELIMITED, view.cluster);
}

function writePacked(writer: WireWriter, field: number, numbers: Uint16Array | Uint32Array): void {
  let bytes = 0;
  for (const number of numbers) bytes += varintBytes(number);
  writer.reserve(bytes + 12);
  writer.varint((field << 3) | LENGTH_DELIMITED);
  writer.varint(bytes);
  for (const number of numbers) writer.varint(number);
}

/** Reads the View that lies between the reader's position and `end`. */
export function readView(reader: WireReader, end: number): ClientView {
  let version = 0;
  let cluster = '';
  const nodes: ViewNode[] = [];
  const owners: number[] = [];
  const lost: number[] = [];
  while (reader.at < end) {
    const tag = reader.uint32();
    if (tag === 1 << 3) version = reader.varint();
    else if (tag === ((2 << 3) | LENGTH_DELIMITED)) nodes.push(readViewNode(reader));
    else if (tag === ((3 << 3) | LENGTH_DELIMITED)) readPacked(reader, owners);
    else if (tag === ((3 << 3) | VARINT)) owners.push(reader.uint32());
    else if (tag === ((4 << 3) | LENGTH_DELIMITED)) readPacked(reader, lost);
    else if (tag === ((4 << 3) | VARINT)) lost.push(reader.uint32());
    else if (tag === ((5 << 3) | LENGTH_DELIMITED)) cluster = reader.string();
    else reader.skip(tag & 7);
  }
  return checkedView({ version, nodes, owners, lost, cluster });
}

/** A view as a codec gives it: absent fields may be empty. */
interface RawView {
  readonly version: number;
  readonly nodes: readonly ViewNode[];
  readonly owners: readonly number[];
  readonly lost?: readonly number[];
  readonly cluster?: string;
}

/** The checks that every view passes, whichever codec it came through. */
export function checkedView({ version, nodes, owners, lost = [], cluster = '' }: RawView): ClientView {
  if (owners.length !== PARTITION_COUNT) {
    throw malformed(`a view of ${owners.length} partitions where ${PARTITION_COUNT} are due`, 0);
  }
  for (const owner of owners) {
    if (!(owner < nodes.length)) throw malformed(`owner ${owner} in a view of ${nodes.length} nodes`, 0);
  }
  if (lost.length !== 0 && lost.length !== PARTITION_COUNT) {
    throw malformed(`lost counts of ${lost.length} partitions where ${PARTITION_COUNT} are due`, 0);
  }
  return {
    version,
    nodes,
    owners: Uint16Array.from(owners),
    ...(lost.length === 0 ? {} : { lost: Uint32Array.from(lost) }),
    ...(cluster === '' ? {} : { cluster }),
  };
}

function readPacked(reader: WireReader, numbers: number[]): void {
  const length = reader.length();
  const end = reader.at + length;
  while (reader.at < end) {
    if (numbers.length > PARTITION_COUNT) throw malformed('too many partitions in a view', reader.at);
    numbers.push(reader.uint32());
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

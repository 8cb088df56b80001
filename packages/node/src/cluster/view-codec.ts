import { LarderError } from '@larder/proto';
import { PackedReader, PackedWriter } from './packed-bytes.js';
import type { ClusterTimers } from './timers.js';
import {
  type ClusterConfig,
  COPY_ORIGINS,
  checkView,
  MEMBER_ID_BYTES_MAX,
  MEMBERS_MAX,
  PARTITIONS_MAX,
  type PartitionPlacement,
  type ViewDocument,
  type ViewMember,
  type Wait,
} from './view-document.js';

/**
 * The view as bytes. 1,024 partitions with successors take 20 KB:
 *
 *   header      'LDRV', format 8, cluster 128, version 53, by 64, base epoch 32, next copy 32
 *   config      copies 8, copiesMin 8, ten timers of 32 (0: endless)
 *   members     count 16, each: id, incarnation 128, address, zone, pool, weight 16, draining 8
 *   partitions  count 16, each: flags 8, epoch 32, owner 16, copy 32,
 *               successor 16 and copy 32 if flagged, learner 16 and copy 32 if flagged, lost 16 if flagged
 *   checksum    32
 *
 * flags: origin 2, wait 2, has successor 1, has learner 1, has lost 1.
 */

const MAGIC = 'LDRV';
const FORMAT = 1;
const TEXT_BYTES_MAX = 255;
const LOST_MAX = 0xffff;
const HAS_SUCCESSOR = 16;
const HAS_LEARNER = 32;
const HAS_LOST = 64;
const FLAGS_MAX = 127;

const TIMER_NAMES: readonly (keyof ClusterTimers)[] = [
  'heartbeatMs',
  'dropMs',
  'leaseMs',
  'graceMs',
  'suspectMs',
  'viewLeaseMs',
  'viewGraceMs',
  'lostAfterMs',
  'storeCallMs',
  'viewPollMs',
];

export function encodeView(view: ViewDocument): Uint8Array {
  const writer = new PackedWriter();
  writer.bytes(Buffer.from(MAGIC));
  writer.uint8(FORMAT);
  writer.hex(view.cluster);
  writer.uint53(view.version);
  writer.hex(view.by);
  writer.uint32(view.baseEpoch);
  writer.uint32(view.nextCopy);
  writer.uint8(view.config.copies);
  writer.uint8(view.config.copiesMin);
  for (const name of TIMER_NAMES) {
    const value = view.config.timers[name];
    writer.uint32(value === Number.POSITIVE_INFINITY ? 0 : value);
  }
  writer.uint16(view.members.length);
  for (const member of view.members) writeMember(writer, member);
  const indexes = new Map(view.members.map((member, index) => [member.id, index]));
  writer.uint16(view.partitions.length);
  for (const placement of view.partitions) writePlacement(writer, placement, indexes);
  return writer.finish();
}

/** Throws BAD_ARGUMENT for whatever is not a sound view, and INCOMPATIBLE for one of a newer format. */
export function decodeView(bytes: Uint8Array): ViewDocument {
  const reader = new PackedReader(bytes, 'a view of a cluster');
  if (reader.hex(4) !== Buffer.from(MAGIC).toString('hex')) throw reader.fault('it does not begin as one');
  const format = reader.uint8();
  if (format !== FORMAT) {
    throw new LarderError('INCOMPATIBLE', `a view of format ${format}; this node reads format ${FORMAT}`);
  }
  const head = {
    cluster: reader.hex(16),
    version: reader.uint53(),
    by: reader.hex(8),
    baseEpoch: reader.uint32(),
    nextCopy: reader.uint32(),
    config: readConfig(reader),
  };
  const members = readList(reader, MEMBERS_MAX, () => readMember(reader));
  const partitions = readList(reader, PARTITIONS_MAX, () => readPlacement(reader, members));
  reader.finish();
  const view: ViewDocument = { ...head, members, partitions };
  checkView(view);
  return view;
}

function writeMember(writer: PackedWriter, member: ViewMember): void {
  writer.text(member.id);
  writer.hex(member.incarnation);
  writer.text(member.address);
  writer.text(member.zone);
  writer.text(member.pool);
  writer.uint16(member.weight);
  writer.uint8(member.draining ? 1 : 0);
}

function readMember(reader: PackedReader): ViewMember {
  return {
    id: reader.text(MEMBER_ID_BYTES_MAX),
    incarnation: reader.hex(16),
    address: reader.text(TEXT_BYTES_MAX),
    zone: reader.text(TEXT_BYTES_MAX),
    pool: reader.text(TEXT_BYTES_MAX),
    weight: reader.uint16(),
    draining: readBoolean(reader),
  };
}

function writePlacement(
  writer: PackedWriter,
  placement: PartitionPlacement,
  indexes: ReadonlyMap<string, number>,
): void {
  const { successor, learner, lost } = placement;
  const flags = COPY_ORIGINS.indexOf(placement.origin) | (placement.wait << 2);
  const has = (successor ? HAS_SUCCESSOR : 0) | (learner ? HAS_LEARNER : 0) | (lost ? HAS_LOST : 0);
  writer.uint8(flags | has);
  writer.uint32(placement.epoch);
  writer.uint16(indexes.get(placement.owner)!);
  writer.uint32(placement.ownerCopy);
  if (successor) {
    writer.uint16(indexes.get(successor)!);
    writer.uint32(placement.successorCopy);
  }
  if (learner) {
    writer.uint16(indexes.get(learner)!);
    writer.uint32(placement.learnerCopy);
  }
  if (lost) writer.uint16(Math.min(lost, LOST_MAX));
}

function readPlacement(reader: PackedReader, members: readonly ViewMember[]): PartitionPlacement {
  const memberId = (): string => {
    const index = reader.uint16();
    if (index >= members.length) throw reader.fault(`member ${index} of ${members.length}`);
    return members[index]!.id;
  };
  const flags = reader.uint8();
  const origin = COPY_ORIGINS[flags & 3];
  if (origin === undefined || flags > FLAGS_MAX) throw reader.fault(`flags ${flags}`);
  const has = (flag: number): boolean => (flags & flag) !== 0;
  return {
    epoch: reader.uint32(),
    owner: memberId(),
    ownerCopy: reader.uint32(),
    successor: has(HAS_SUCCESSOR) ? memberId() : '',
    successorCopy: has(HAS_SUCCESSOR) ? reader.uint32() : 0,
    learner: has(HAS_LEARNER) ? memberId() : '',
    learnerCopy: has(HAS_LEARNER) ? reader.uint32() : 0,
    origin,
    wait: ((flags >> 2) & 3) as Wait,
    lost: has(HAS_LOST) ? reader.uint16() : 0,
  };
}

function readConfig(reader: PackedReader): ClusterConfig {
  const copies = readCopies(reader);
  const copiesMin = readCopies(reader);
  const timers = {} as Record<keyof ClusterTimers, number>;
  for (const name of TIMER_NAMES) {
    const value = reader.uint32();
    timers[name] = value === 0 ? Number.POSITIVE_INFINITY : value;
  }
  return { copies, copiesMin, timers };
}

function readCopies(reader: PackedReader): 1 | 2 {
  const value = reader.uint8();
  if (value !== 1 && value !== 2) throw reader.fault(`${value} copies; allowed are 1 and 2`);
  return value;
}

function readBoolean(reader: PackedReader): boolean {
  const value = reader.uint8();
  if (value > 1) throw reader.fault(`${value} where 0 or 1 is due`);
  return value === 1;
}

function readList<T>(reader: PackedReader, countMax: number, read: () => T): T[] {
  const count = reader.uint16();
  if (count > countMax) throw reader.fault(`a list of ${count}; allowed are ${countMax}`);
  const list: T[] = [];
  for (let index = 0; index < count; index++) list.push(read());
  return list;
}

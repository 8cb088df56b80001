import { KEY_BYTES_MAX, type KeySlice, LarderError, PARTITION_COUNT } from '@larder/proto';
import { EPOCH_MAX, FLAGS_MAX, SEQ_MAX } from './record.js';

/** Mistakes of the node itself are INTERNAL; what a client sent is looked at before it comes here. */
export function checkVersion(epoch: number, seq: number): void {
  if (epoch >= 0 && epoch <= EPOCH_MAX && seq >= 0 && seq <= SEQ_MAX) return;
  throw new LarderError('INTERNAL', `version ${epoch}/${seq} is outside of 0/0 to ${EPOCH_MAX}/${SEQ_MAX}`);
}

export function checkFlags(flags: number): void {
  if (flags >= 0 && flags <= FLAGS_MAX) return;
  throw new LarderError('INTERNAL', `flags ${flags} are outside of 0 to ${FLAGS_MAX}`);
}

export function checkPartition(partition: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < PARTITION_COUNT) return;
  throw new LarderError('INTERNAL', `partition ${partition} is not a whole number from 0 to ${PARTITION_COUNT - 1}`);
}

export function keyTooLong(key: KeySlice): LarderError {
  return new LarderError('TOO_LARGE', `the key has ${key.end - key.start} bytes; allowed are ${KEY_BYTES_MAX}`);
}

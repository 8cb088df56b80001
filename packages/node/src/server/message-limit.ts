import { LINK_FRAME_BYTES_MAX } from '@larder/proto';

/** What a message takes besides its value: the largest key, a cache's name, tags and lengths fit many times over. */
const SLACK_BYTES = 64 * 1024;

/** The longest gRPC message that a node takes, be it of a client or of another node. Without a bound any sender could make it buffer 4 GiB. */
export function messageBytesMax(valueBytesMax: number): number {
  return Math.max(valueBytesMax, LINK_FRAME_BYTES_MAX) + SLACK_BYTES;
}

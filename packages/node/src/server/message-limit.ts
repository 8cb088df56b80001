/** What a message takes besides its value: the largest key, a cache's name, tags and lengths fit many times over. */
const SLACK_BYTES = 64 * 1024;

/** The longest gRPC message that a node takes. Without a bound any sender could make it buffer 4 GiB. */
export function messageBytesMax(valueBytesMax: number): number {
  return valueBytesMax + SLACK_BYTES;
}

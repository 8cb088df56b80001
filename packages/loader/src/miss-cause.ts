/** Why a get found no live entry, as far as the node knows. */
export const MissCause = {
  /** The key was never here, or so long ago that nobody remembers. */
  cold: 0,
  expired: 1,
  evicted: 2,
  /** It was deleted, forgotten after a write that went past the memory, or invalidated. */
  invalidated: 3,
  /** Its partition was dropped here, or began anew, empty, because both of its copies were lost. */
  moved: 4,
  /** The last load of the key failed. */
  loadFailed: 5,
} as const;
export type MissCause = (typeof MissCause)[keyof typeof MissCause];

const NAMES = Object.keys(MissCause) as readonly (keyof typeof MissCause)[];

export function missCauseName(cause: MissCause): keyof typeof MissCause {
  return NAMES[cause]!;
}

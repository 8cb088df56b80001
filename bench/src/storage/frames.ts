/** Keys of 20 bytes and values of 100, written where a request's frame would have them; replies go into a frame as well. */
export const KEY_BYTES = 20;
export const VALUE_BYTES = 100;
const REPLY_BYTES = 4096;

export interface Frames {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly reply: Buffer;
}

export function newFrames(): Frames {
  return {
    key: Buffer.alloc(KEY_BYTES, 'k'),
    value: Buffer.alloc(VALUE_BYTES, 'v'),
    reply: Buffer.alloc(REPLY_BYTES),
  };
}

/** Writes the number as the ten digits at the end of the key. */
export function setKeyNumber(key: Buffer, number: number): void {
  let rest = number;
  for (let at = KEY_BYTES - 1; at >= KEY_BYTES - 10; at--) {
    key[at] = 48 + (rest % 10);
    rest = (rest / 10) | 0;
  }
}

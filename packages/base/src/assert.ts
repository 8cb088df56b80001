/** A bug in Larder, never the caller's fault: the process should end and be restarted by its supervisor. */
export class AssertionFailed extends Error {
  override name = 'AssertionFailed';
}

/** Stays on in production. Pass a constant message: building one costs time on the hot path. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

export function unreachable(value: never): never {
  throw new AssertionFailed(`unexpected value ${String(value)}`);
}

import type { AcceptorDisk } from './acceptor.js';

/** For a voter that is gone when its process ends: it cannot come back under the same name. */
export const MEMORY_DISK: AcceptorDisk = {
  save: (_bytes, done) => queueMicrotask(() => done(undefined)),
};

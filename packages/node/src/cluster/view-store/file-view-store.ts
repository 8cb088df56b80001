import type { Clock, Random } from '@larder/base';
import { Acceptor } from './register/acceptor.js';
import { AcceptorFile } from './register/acceptor-file.js';
import { RegisterStore } from './register/register-store.js';
import type { ViewStore } from './view-store.js';

/**
 * The view of a single node in a file: a register whose one voter is this process. The file survives a crash at any
 * moment. Two processes must not use it at once.
 */
export async function openFileViewStore(options: {
  readonly path: string;
  /** Makes the file if there is none. */
  readonly found: boolean;
  readonly incarnation: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly random: Random;
}): Promise<ViewStore> {
  const file = new AcceptorFile(options.path);
  const acceptor = new Acceptor(await file.open(options), file);
  const { incarnation, deadlineMs, clock, random } = options;
  const store = new RegisterStore({
    voterCount: 1,
    incarnation,
    deadlineMs,
    clock,
    random,
    send: (voter, request) => {
      queueMicrotask(() => acceptor.receive(request, (reply) => queueMicrotask(() => store.receive(voter, reply))));
    },
  });
  return store;
}

/** As Node names them. Timers are left out: the test runner has some of its own that come and go. */
const WATCHED = /^(TCP|Pipe|TTY|UDP|Process|HTTP2|TLS|FSEvent|Worker|MessagePort)/;
/** Closing takes a few turns of the event loop: sockets tell their end in a later one. */
const TURNS_MAX = 200;

export interface LeakWatch {
  /** What is open now and was not when the watch began, for example `['TCPSocketWrap x 2']`. Empty: nothing was left. */
  found(): Promise<string[]>;
}

/**
 * Begins to watch what this process holds open: sockets, servers, child processes, worker threads. Begin in a
 * `beforeAll` and ask in an `afterAll`: `expect(await leaks.found()).toEqual([])`.
 */
export function watchForLeaks(): LeakWatch {
  const before = countOpen();
  return {
    async found() {
      let leaks = leaksSince(before);
      for (let turn = 0; leaks.length > 0 && turn < TURNS_MAX; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        leaks = leaksSince(before);
      }
      return leaks;
    },
  };
}

function leaksSince(before: ReadonlyMap<string, number>): string[] {
  return [...countOpen()]
    .map(([kind, count]) => ({ kind, more: count - (before.get(kind) ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ kind, more }) => `${kind} x ${more}`);
}

function countOpen(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (WATCHED.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

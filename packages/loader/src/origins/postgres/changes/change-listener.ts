import { Backoff, type Clock, type Random, type Timer } from '@larder/base';
import { type LarderError, toLarderError } from '@larder/proto';
import type { PostgresDatabase } from '../postgres-database.js';
import { CHANGES_SINCE, FORGET_CHANGES, SNAPSHOT } from '../sql/change-log.js';
import { ChangeConnection } from './change-connection.js';

/**
 * What other programs change in the tables of a database, read from the log that triggers write (sql/change-log.ts).
 *
 * A notification only says that there is something to read, so it does not matter that some get lost. What is new is told
 * by snapshots: all that the last reading could not see and this one can, in whatever order transactions have committed.
 * So a connection that was lost leaves no gap, unless it was away for longer than the log reaches back; then all may have
 * changed, and the sink is told so. The log is read every POLL_MS also if nobody notifies.
 *
 *     1. take snapshot B          2. read what A did not see, a page at a time          3. A := B
 *
 * Pages are read after B was taken, so they have all that B sees; what they have beyond it comes again the next time,
 * which does no harm. One page is in memory at a time, and the sink is awaited before the next.
 */

const POLL_MS = 5_000;
/** Who takes partitions over looks at what has come in this time: longer than any owner before may have been behind. */
const REPLAY_MS = 30_000;
/** What was committed longer ago is cleared away. */
const KEPT_MS = 600_000;
/** Away for longer than this: what came first may be gone from the log. */
const GAP_MS_MAX = 540_000;
/** Between two snapshots that are remembered: at most KEPT_MS / SNAPSHOT_MS of them. */
const SNAPSHOT_MS = 1_000;
const CLEAR_MS = 60_000;
/** Statements of 1,000 lines in a row. */
const CLEARINGS_MAX = 100;
const RECONNECT = { firstMs: 100, maxMs: 5_000, jitter: 0.5 };

export interface ChangeSink {
  /** Rows with these keys have changed. What is awaited holds up the next. */
  changed(source: string, keys: readonly string[]): Promise<void>;
  /** Any row may have changed. Undefined: of any table. */
  allChanged(source: string | undefined): void;
  /** The connection broke, or could not be made; told once until `back`. */
  lost(error: LarderError): void;
  /** `gapMs`: for how long nothing could be read. `isTooLong`: longer than the log reaches back. */
  back(gapMs: number, isTooLong: boolean): void;
}

interface Position {
  readonly snapshot: string;
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export class ChangeListener {
  readonly #backoff: Backoff;
  readonly #past: Position[] = [];
  #position: Position | undefined;
  #connection: ChangeConnection | undefined;
  #isAway = false;
  #isReading = false;
  #hasNews = false;
  #replays = false;
  #clearedMs: number;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(
    readonly database: PostgresDatabase,
    readonly sink: ChangeSink,
    readonly clock: Clock,
    random: Random,
  ) {
    this.#backoff = new Backoff(RECONNECT, random);
    this.#clearedMs = clock.monotonicMs();
  }

  /** Resolves when nothing that is committed from now on is missed. Rejects with ORIGIN_UNAVAILABLE or ORIGIN. */
  async start(): Promise<void> {
    await this.#connect();
    await this.#read();
    this.#rest(this.#hasNews ? 0 : POLL_MS);
  }

  /** Tells the changes of the last REPLAY_MS once more, and soon: there are keys here that were somebody else's. */
  replay(): void {
    this.#replays = true;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#connection?.close();
    this.#connection = undefined;
  }

  readonly #wake = (): void => {
    this.#hasNews = true;
    if (!this.#isReading && this.#position !== undefined && !this.#isAway) void this.#run();
  };

  readonly #broken = (): void => {
    if (!this.#isReading) void this.#run();
  };

  /** Reads until there is nothing new; connects first if that is needed. */
  async #run(): Promise<void> {
    if (this.#isReading || this.#isClosed) return;
    this.#isReading = true;
    this.#timer?.cancel();
    let restMs = POLL_MS;
    try {
      do {
        this.#hasNews = false;
        if (this.#connection === undefined) await this.#connect();
        await this.#read();
      } while (this.#hasNews && !this.#isClosed);
    } catch (error) {
      this.#lose(toLarderError(error));
      restMs = this.#backoff.nextMs();
    }
    this.#isReading = false;
    this.#rest(restMs);
  }

  #rest(restMs: number): void {
    if (!this.#isClosed) this.#timer = this.clock.after(restMs, () => void this.#run());
  }

  async #connect(): Promise<void> {
    const connection = await ChangeConnection.open(this.database, this.#wake, () => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#broken();
    });
    if (this.#isClosed) connection.close();
    else this.#connection = connection;
  }

  #lose(error: LarderError): void {
    this.#connection?.close();
    this.#connection = undefined;
    if (this.#isAway || this.#isClosed) return;
    this.#isAway = true;
    this.sink.lost(error);
  }

  async #read(): Promise<void> {
    const replays = this.#replays;
    this.#replays = false;
    const next = await this.#now();
    const last = this.#position;
    if (last !== undefined) {
      this.#tellOfGap(last, next);
      await this.#readSince(replays ? this.#before(next, REPLAY_MS) : last);
    }
    this.#position = next;
    this.#remember(next);
    if (next.monotonicMs - this.#clearedMs >= CLEAR_MS) await this.#clear(next);
  }

  async #now(): Promise<Position> {
    const { clock } = this;
    // The clocks first: what is committed while the snapshot is taken belongs to the next reading.
    const [monotonicMs, wallMs] = [clock.monotonicMs(), clock.wallMs()];
    const [row] = await this.#connected().run(SNAPSHOT);
    return { snapshot: row?.[0] as string, monotonicMs, wallMs };
  }

  #tellOfGap(last: Position, next: Position): void {
    const gapMs = Math.max(next.monotonicMs - last.monotonicMs, next.wallMs - last.wallMs);
    const isTooLong = gapMs > GAP_MS_MAX;
    if (isTooLong) this.sink.allChanged(undefined);
    if (!this.#isAway && !isTooLong) return;
    this.#isAway = false;
    this.#backoff.reset();
    this.sink.back(gapMs, isTooLong);
  }

  async #readSince({ snapshot }: Position): Promise<void> {
    for (let after = '0'; !this.#isClosed; ) {
      const rows = await this.#connected().run(CHANGES_SINCE, [snapshot, after]);
      const last = rows.at(-1);
      if (last === undefined) return;
      for (const [, source, keys] of rows) {
        if (keys === null) this.sink.allChanged(source as string);
        else await this.sink.changed(source as string, JSON.parse(keys as string) as string[]);
      }
      after = last[0] as string;
    }
  }

  #remember(position: Position): void {
    const newest = this.#past.at(-1);
    if (newest !== undefined && position.monotonicMs - newest.monotonicMs < SNAPSHOT_MS) return;
    this.#past.push(position);
    // The first is kept until the next is old enough to take its place.
    while (this.#past[1] !== undefined && position.monotonicMs - this.#past[1].monotonicMs >= KEPT_MS)
      this.#past.shift();
  }

  /** The newest that is at least so old, or else the oldest. */
  #before(now: Position, ageMs: number): Position {
    const old = this.#past.findLast(({ monotonicMs }) => now.monotonicMs - monotonicMs >= ageMs);
    return old ?? (this.#past[0] as Position);
  }

  async #clear(now: Position): Promise<void> {
    this.#clearedMs = now.monotonicMs;
    const oldest = this.#past[0] as Position;
    if (now.monotonicMs - oldest.monotonicMs < KEPT_MS) return;
    for (let count = 0; count < CLEARINGS_MAX; count++) {
      const rows = await this.#connected().run(FORGET_CHANGES, [oldest.snapshot]);
      if (rows.length === 0) return;
    }
  }

  #connected(): ChangeConnection {
    if (this.#connection === undefined) throw new Error('the connection that listens for changes is closed');
    return this.#connection;
  }
}

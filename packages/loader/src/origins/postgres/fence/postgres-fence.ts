import { LarderError } from '@larder/proto';
import { configError, configMistake } from '../../../config-check.js';
import type { OriginFence } from '../../origin.js';
import { type PostgresDatabase, type Statement, statement, type TextRow } from '../postgres-database.js';
import { quoteIdentifier } from '../quote.js';
import { CREATE_FENCE, fenceByHand } from '../sql/create-fence.js';
import { END_RAISED_LINES, OPEN_LINES, RAISE_FORMER_LINES, RAISE_LINES } from '../sql/fence-lines.js';
import { FenceLines } from './fence-lines.js';

/**
 * Stops writes of nodes that are no longer what they think they are. A node may stand still for any time between the
 * last look at its lease and the moment in which its statement reaches the database, so only the database can tell
 * whether the statement still counts.
 *
 * Every node has lines in a table, and every write is one statement that first locks a line of its node, FOR KEY SHARE
 * until it commits, and writes nothing if the line is not there or was raised. A node that takes over raises the lines
 * of all others:
 *
 *     1. UPDATE ... SET raised = true      waits for nobody. What begins from now on is fenced.
 *     2. DELETE ... WHERE raised           waits for the writes that hold a raised line: they began before.
 *
 * A node that is fenced though it is alive opens new lines and goes on; it must ask anew what is still its own. Since
 * those are other rows, its writes do not keep step 2 waiting. With one row for a node, and a generation in it, they
 * would: PostgreSQL lets share locks overtake a waiting exclusive one for as long as they overlap (tried with 18.4: two
 * sessions that take turns with statements of 100 ms keep an UPDATE waiting until it gives up).
 *
 * Lines have random names, never used again, so the table need not survive a crash of the server: it is UNLOGGED, which
 * spares each write a record in the log, and after a failover to a standby it is empty, which fences everybody.
 */
export class PostgresFence implements OriginFence {
  #lines: FenceLines | undefined;
  #opened: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;
  #raising: Promise<void> | undefined;
  /** Begins when `#raising` has ended. */
  #nextRaise: Promise<void> | undefined;

  constructor(
    readonly database: PostgresDatabase,
    /** The node's id. */
    readonly node: string,
  ) {}

  /**
   * Makes the table if it is missing and opens this node's lines; the writes of the node's former life have ended then.
   * Throws CONFIG if the role may not; `path` is where the database stands in the configuration.
   */
  open(path = 'database'): Promise<void> {
    this.#opened ??= this.#open(path).catch((error) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  raise(): Promise<void> {
    if (this.#nextRaise !== undefined) return this.#nextRaise;
    if (this.#raising === undefined) return this.#beginRaise();
    const begin = (): Promise<void> => this.#beginRaise();
    this.#nextRaise = this.#raising.then(begin, begin);
    return this.#nextRaise;
  }

  /** Runs a write whose last parameter is a line: one of those that are this node's when this is called. */
  async write(fenced: Statement, values: readonly string[]): Promise<TextRow[]> {
    const lines = this.#lines;
    const rows = lines === undefined ? [] : await this.database.run(fenced, values, 'write', lines);
    if (rows.length > 0) return rows;
    throw fencedOff(this.database.label, await this.#renew(lines));
  }

  async #open(path: string): Promise<void> {
    try {
      await this.database.run(statement(CREATE_FENCE), [], 'write');
      if (this.#lines === undefined) await this.#openLines();
      await this.#run(RAISE_FORMER_LINES, this.#own(), this.node);
      await this.#run(END_RAISED_LINES);
    } catch (error) {
      throw isForbidden(error) ? await this.#forbidden(path, error) : error;
    }
  }

  #beginRaise(): Promise<void> {
    this.#nextRaise = undefined;
    this.#raising = this.#raise().finally(() => {
      this.#raising = undefined;
    });
    return this.#raising;
  }

  async #raise(): Promise<void> {
    try {
      await this.#run(RAISE_LINES, this.#own());
      await this.#run(END_RAISED_LINES);
    } catch (error) {
      if (this.#lines !== undefined || !isMissing(error)) throw error;
    }
  }

  /** Opens lines in place of those that were lost, unless somebody else has. Resolves with the error if that failed. */
  async #renew(lost: FenceLines | undefined): Promise<unknown> {
    if (this.#lines !== lost) return undefined;
    this.#renewing ??= (lost === undefined ? this.open() : this.#openLines()).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing.then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  async #openLines(): Promise<void> {
    const rows = await this.#run(OPEN_LINES, this.node, String(this.database.options.poolSize));
    this.#lines = new FenceLines(rows.map(([line]) => line as string));
  }

  /** The literal of an array of our lines. */
  #own(): string {
    return `{${this.#lines?.all.join(',') ?? ''}}`;
  }

  #run(text: string, ...values: string[]): Promise<TextRow[]> {
    return this.database.run(statement(text), values, 'write');
  }

  async #forbidden(path: string, cause: LarderError): Promise<LarderError> {
    const [row] = await this.#run('SELECT current_user');
    const byHand = fenceByHand(quoteIdentifier(row?.[0] ?? 'larder'));
    const allowed = `'none', or 'table' after somebody who may has run: ${byHand} (${cause.reason})`;
    return configError([configMistake(`${path}.fencing`, 'table', allowed)], cause);
  }
}

/** Another node has taken partitions over, or the server has lost the lines in a crash. */
function fencedOff(database: string, cause: unknown): LarderError {
  const more = cause instanceof LarderError ? `, and no new lines could be opened: ${cause.reason}` : '';
  const message = `${database}: the write was fenced off, because another node has raised the fence${more}`;
  return new LarderError('ORIGIN_UNAVAILABLE', message, { outcome: 'not-applied', details: { fenced: true }, cause });
}

/**
 * A node whose caches only read has not opened the fence. If there is no table yet, or the role may not use it, no other
 * node has written anything either.
 */
function isMissing(error: unknown): boolean {
  const state = error instanceof LarderError ? error.details?.sqlState : undefined;
  return state === '42P01' || state === '3F000' || isForbidden(error);
}

function isForbidden(error: unknown): error is LarderError {
  return error instanceof LarderError && error.details?.sqlState === '42501';
}

import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '@larder/base';
import pg from 'pg';
import { Breaker } from '../breaker.js';
import type { FenceLines } from './fence/fence-lines.js';
import { PostgresFence } from './fence/postgres-fence.js';
import type { ResolvedPostgresDatabaseOptions } from './postgres-database-options.js';
import { breaksConnection, connectError, postgresError, type StatementKind } from './postgres-errors.js';

export type TextRow = readonly (string | null)[];

/** A statement that is prepared once for each connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** PostgreSQL keeps 63 bytes of a statement's name; the hash lets equal texts share one. */
export function statement(text: string): Statement {
  return { name: `larder_${createHash('sha1').update(text).digest('hex')}`, text };
}

const PROBE = statement('SELECT 1');

/** How long the driver waits for the server beyond the server's own statement timeout. */
const ANSWER_GRACE_MS = 2000;

/**
 * Makes values the same text whatever the defaults of the server, the database and the role are. And a write that has
 * waited for a lock must go on with what the row is then. Triggers that note what other programs write know by
 * WRITER_SETTING (sql/change-log.ts) that it is Larder that writes.
 */
const SESSION_OPTIONS =
  '-c default_transaction_isolation=read\\ committed -c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=1 -c larder.writer=on';

const AS_TEXT = { getTypeParser: () => (text: string) => text };

/**
 * One PostgreSQL database and the node's connections to it: at most `poolSize`, shared by all caches that have their
 * tables there. Statements are single and prepared, so each is a transaction of its own; results stay text.
 */
export class PostgresDatabase {
  readonly #pool: pg.Pool;
  /** Host and database for messages, without user and password. */
  readonly label: string;
  /** Undefined: the configuration wants none. */
  readonly fence: PostgresFence | undefined;
  /** Of all its caches; undefined: the configuration wants none. */
  readonly breaker: Breaker | undefined;
  /** What each of its connections is made with. */
  readonly connectionConfig: pg.ClientConfig;

  /** `node`: the id of the node whose connections these are. */
  constructor(
    readonly options: ResolvedPostgresDatabaseOptions,
    node = '',
    clock: Clock = systemClock,
  ) {
    this.fence = options.fencing === 'table' ? new PostgresFence(this, node) : undefined;
    this.label = labelOf(options.url);
    this.breaker =
      options.breaker &&
      new Breaker({
        options: options.breaker,
        label: this.label,
        clock,
        probe: () => this.run(PROBE, [], 'read'),
      });
    this.connectionConfig = {
      connectionString: options.url,
      connectionTimeoutMillis: options.connectTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      idle_in_transaction_session_timeout: options.statementTimeoutMs,
      query_timeout: options.statementTimeoutMs + ANSWER_GRACE_MS,
      options: SESSION_OPTIONS,
      application_name: 'larder',
      keepAlive: true,
      types: AS_TEXT,
    };
    this.#pool = new pg.Pool({ ...this.connectionConfig, max: options.poolSize, idleTimeoutMillis: 30_000 });
    // An idle connection that breaks has left the pool already; the next statement opens another.
    this.#pool.on('error', () => {});
    // One that breaks in use fails its statement and emits this as well; unheard, it would end the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** The longest that `run` takes, and that a statement can live on after its connection was lost. */
  get callMsMax(): number {
    return this.options.connectTimeoutMs + this.options.statementTimeoutMs + ANSWER_GRACE_MS;
  }

  /** Rejects with ORIGIN or ORIGIN_UNAVAILABLE. With `lines`, one of them is the statement's last parameter. */
  async run(
    { name, text }: Statement,
    given: readonly string[],
    kind: StatementKind,
    lines?: FenceLines,
  ): Promise<TextRow[]> {
    const client = await this.#connect(kind);
    const line = lines?.take();
    const values = line === undefined ? [...given] : [...given, line];
    let broken: Error | undefined;
    try {
      const result = await client.query<(string | null)[]>({ name, text, values, rowMode: 'array' });
      return result.rows;
    } catch (thrown) {
      if (breaksConnection(thrown)) broken = thrown as Error;
      throw postgresError(thrown, kind, this.label);
    } finally {
      if (line !== undefined) lines?.giveBack(line);
      client.release(broken);
    }
  }

  /**
   * Runs statements, one by one, on a connection of their own, which is closed afterwards with all that they have left in
   * it. For looking at things at the start. Rejects as `run` does.
   */
  async inspect<T>(look: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#connect('read');
    try {
      return await look(new Session(client, this.label));
    } finally {
      client.release(true);
    }
  }

  /** Runs statements that come once, all or none. Rejects with ORIGIN or ORIGIN_UNAVAILABLE. */
  async runAll(texts: readonly string[]): Promise<void> {
    const client = await this.#connect('write');
    try {
      await client.query('BEGIN');
      for (const text of texts) await client.query(text);
      await client.query('COMMIT');
      client.release();
    } catch (thrown) {
      // Ends the transaction with its connection.
      client.release(true);
      throw postgresError(thrown, 'write', this.label);
    }
  }

  close(): Promise<void> {
    this.breaker?.close();
    return this.#pool.end();
  }

  async #connect(kind: StatementKind): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (thrown) {
      throw connectError(thrown, kind, this.label);
    }
  }
}

export interface SessionResult {
  readonly rows: TextRow[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

export class Session {
  constructor(
    readonly client: pg.PoolClient,
    readonly label: string,
  ) {}

  async run(text: string): Promise<SessionResult> {
    try {
      // Extended: it takes no second statement behind a semicolon.
      return await this.client.query({ text, rowMode: 'array', queryMode: 'extended' } as pg.QueryArrayConfig);
    } catch (thrown) {
      throw postgresError(thrown, 'read', this.label);
    }
  }
}

function labelOf(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `PostgreSQL at ${hostname || 'the local socket'}${port ? `:${port}` : ''}${pathname}`;
  } catch {
    return 'PostgreSQL';
  }
}

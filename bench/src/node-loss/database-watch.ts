import pg from 'pg';

const PERIOD_MS = 20;
const COUNT = `
  SELECT count(*) FILTER (WHERE state = 'active')::int AS active, count(*)::int AS connections
  FROM pg_stat_activity WHERE application_name = 'larder'`;

/**
 * The most connections of the nodes that PostgreSQL has at once, and the most statements that it shows, looked at every
 * 20 ms. A statement takes a connection, and connections stay open for longer than that: of them none is overlooked.
 */
export class DatabaseWatch {
  statementsMax = 0;
  connectionsMax = 0;
  #isStopped = false;
  readonly #watching: Promise<void>;

  private constructor(readonly client: pg.Client) {
    this.#watching = this.#watch();
  }

  static async start(url: string): Promise<DatabaseWatch> {
    const client = new pg.Client({ connectionString: url, application_name: 'watch' });
    await client.connect();
    return new DatabaseWatch(client);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#watching;
    await this.client.end();
  }

  async #watch(): Promise<void> {
    while (!this.#isStopped) {
      const { rows } = await this.client.query<{ active: number; connections: number }>(COUNT);
      this.statementsMax = Math.max(this.statementsMax, rows[0]!.active);
      this.connectionsMax = Math.max(this.connectionsMax, rows[0]!.connections);
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  }
}

import type { Cache, Larder } from '@larder/client';
import type pg from 'pg';

/** Revenue of a month by country. */
export type Report = Readonly<Record<string, number>>;

/** The whole of what an application has to do for its reports. */
export class Reports {
  readonly #cache: Cache<Report>;
  /** Reports that this process has computed. */
  computed = 0;

  constructor(
    larder: Larder,
    readonly database: pg.Pool,
  ) {
    this.#cache = larder.cache('reports');
  }

  /** Of all processes that ask for a report which nobody has, one computes it, and the others wait for that. */
  revenue(month: string): Promise<Report> {
    return this.#cache.getOrSet(month, () => this.#compute(month));
  }

  /**
   * First the database, then the cache: the report of the month is forgotten, and one that is being computed right now,
   * perhaps without this order, will not be stored.
   */
  async order(month: string, country: string, amount: number): Promise<void> {
    await this.database.query('INSERT INTO larder_orders.orders VALUES ($1, $2, $3)', [month, country, amount]);
    await this.#cache.delete(month);
  }

  async #compute(month: string): Promise<Report> {
    this.computed++;
    const sql =
      'SELECT country, sum(amount)::float8 AS revenue FROM larder_orders.orders WHERE month = $1 GROUP BY country';
    const { rows } = await this.database.query<{ country: string; revenue: number }>(sql, [month]);
    if (rows.length === 0) throw new Error(`there are no orders in ${month}`);
    return Object.fromEntries(rows.map(({ country, revenue }) => [country, revenue]));
  }
}

import type { Cache, Larder } from '@larder/client';
import type pg from 'pg';
import type { Article } from './schema.js';

/** The whole of what a news site has to do for its pages. */
export class Site {
  readonly #pages: Cache<readonly Article[]>;

  constructor(
    larder: Larder,
    readonly database: pg.Pool,
  ) {
    this.#pages = larder.cache('pages');
  }

  /** The newest articles of a section, newest first; about a second old. */
  async page(section: string): Promise<readonly Article[]> {
    return (await this.#pages.get(section)) ?? [];
  }

  /** Editors write to the database, as ever, and tell nobody. */
  async publish(section: string, headline: string): Promise<void> {
    const sql = 'INSERT INTO larder_home.articles (section, headline) VALUES ($1, $2)';
    await this.database.query(sql, [section, headline]);
  }
}

import type { Cache, Larder } from '@larder/client';
import type pg from 'pg';
import type { Listed, ProductPage } from './schema.js';

/** The whole of what a shop has to do for its product pages. */
export class Shop {
  readonly #pages: Cache<ProductPage>;
  readonly #popular: Cache<readonly Listed[]>;

  constructor(
    larder: Larder,
    readonly database: pg.Pool,
  ) {
    this.#pages = larder.cache('product_pages');
    this.#popular = larder.cache('popular');
  }

  /** Undefined if there is no such product. */
  page(product: number): Promise<ProductPage | undefined> {
    return this.#pages.get(product);
  }

  async popular(category: string, count: number): Promise<readonly Listed[]> {
    return (await this.#popular.get([category, count])) ?? [];
  }

  /**
   * Prices are changed with SQL, as ever. Every page that shows the product is forgotten, in one call, and is loaded anew
   * when somebody asks for it; a load that is under way does not bring the old price back. The lists of popular products
   * may be ten seconds old: their `ttl` says so. Resolves with how many pages there were.
   */
  async changePrice(product: number, price: string): Promise<number> {
    await this.database.query('UPDATE larder_shop.products SET price = $2 WHERE id = $1', [product, price]);
    const sql = 'SELECT product FROM larder_shop.beside WHERE shown = $1';
    const { rows } = await this.database.query<{ product: number }>(sql, [product]);
    return this.#pages.deleteMany([product, ...rows.map((row) => row.product)]);
  }
}

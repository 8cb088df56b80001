/** Everything lies in a schema of its own, which is made anew each time. */
export const SCHEMA = `
  DROP SCHEMA IF EXISTS larder_shop CASCADE;
  CREATE SCHEMA larder_shop;
  CREATE TABLE larder_shop.products (
    id integer PRIMARY KEY, name text NOT NULL, category text NOT NULL, price numeric(10, 2) NOT NULL, sold bigint NOT NULL
  );
  CREATE TABLE larder_shop.reviews (product integer NOT NULL REFERENCES larder_shop.products, stars integer NOT NULL);
  CREATE TABLE larder_shop.beside (
    product integer REFERENCES larder_shop.products, shown integer REFERENCES larder_shop.products, PRIMARY KEY (product, shown)
  );
  INSERT INTO larder_shop.products VALUES
    (1, 'Garden chair', 'garden', 49.00, 900), (2, 'Garden table', 'garden', 120.00, 400), (3, 'Parasol', 'garden', 79.50, 650);
  INSERT INTO larder_shop.reviews VALUES (1, 5), (1, 4), (2, 3);
  INSERT INTO larder_shop.beside VALUES (1, 2), (3, 2), (2, 1)`;

/** What the query of the cache `product_pages` answers with. */
export interface ProductPage {
  readonly id: number;
  readonly name: string;
  /** Numbers that JavaScript cannot hold exactly are strings. */
  readonly price: string;
  readonly reviews: number;
  readonly stars: string | null;
  readonly beside: readonly Listed[];
}

export interface Listed {
  readonly id: number;
  readonly name: string;
  readonly price: string;
}

/** Everything lies in a schema of its own, which is made anew each time. */
export const SCHEMA = `
  DROP SCHEMA IF EXISTS larder_home CASCADE;
  CREATE SCHEMA larder_home;
  CREATE TABLE larder_home.articles (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, section text NOT NULL, headline text NOT NULL,
    published timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX ON larder_home.articles (section, published DESC);
  INSERT INTO larder_home.articles (section, headline, published) VALUES
    ('front', 'Harbour bridge opens', '2026-11-01'), ('front', 'Night trains return', '2026-11-02'),
    ('sport', 'Regatta called off', '2026-11-01')`;

/** A row of the query of the cache `pages`. */
export interface Article {
  readonly headline: string;
  /** ISO 8601, in UTC. */
  readonly published: string;
}

/** Everything lies in a schema of its own, which is made anew each time. */
export const SCHEMA = `
  DROP SCHEMA IF EXISTS larder_orders CASCADE;
  CREATE SCHEMA larder_orders;
  CREATE TABLE larder_orders.orders (month text NOT NULL, country text NOT NULL, amount numeric(10, 2) NOT NULL);
  INSERT INTO larder_orders.orders VALUES
    ('2026-10', 'NO', 120.00), ('2026-10', 'DE', 80.50), ('2026-10', 'NO', 19.50), ('2026-11', 'DE', 5.00)`;

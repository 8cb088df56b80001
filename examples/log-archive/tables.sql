CREATE TABLE log (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  line text NOT NULL
);

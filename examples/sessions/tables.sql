CREATE TABLE sessions (
  id text PRIMARY KEY,
  user_name text NOT NULL,
  roles text[] NOT NULL,
  expires_at timestamptz NOT NULL
);

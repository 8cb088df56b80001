CREATE TABLE scores (
  player text PRIMARY KEY,
  points integer NOT NULL CHECK (points >= 0),
  level integer NOT NULL
);

/** What a row of each table is to the application: the value of its cache. */
export interface City {
  readonly id: number;
  readonly name: string;
  /** ISO 3166, two letters. */
  readonly country: string;
  readonly region: string;
  /** Of GeoNames: PPLC is a capital, PPL a populated place. */
  readonly feature: string;
  readonly population: number;
  readonly latitude: number;
  readonly longitude: number;
  readonly edits: number;
}

export interface Visits {
  readonly city_id: number;
  readonly count: number;
}

export interface AuditRecord {
  readonly id: string;
  readonly city_id: number;
  readonly action: string;
}

export interface Session {
  readonly id: string;
  readonly language: string;
}

/** Everything lies in a schema of its own: the demonstration never touches another table. */
export const SCHEMA_STATEMENTS = [
  'CREATE SCHEMA IF NOT EXISTS larder_demo',
  `CREATE TABLE IF NOT EXISTS larder_demo.cities (
    id int PRIMARY KEY,
    name text NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    feature text NOT NULL,
    population int NOT NULL,
    latitude float8 NOT NULL,
    longitude float8 NOT NULL,
    edits int NOT NULL DEFAULT 0
  )`,
  `CREATE TABLE IF NOT EXISTS larder_demo.visits (
    city_id int PRIMARY KEY,
    count int NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS larder_demo.audit (
    id text PRIMARY KEY,
    city_id int NOT NULL,
    action text NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS larder_demo.sessions (
    id text PRIMARY KEY,
    language text NOT NULL
  )`,
];

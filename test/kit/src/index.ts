export { createDatabase, type FreshDatabase, freshDatabase } from './postgres/fresh-database.js';
export { type Postgres, type PostgresOptions, startPostgres } from './postgres/start-postgres.js';
export { freePorts } from './process/free-ports.js';
export { type Exit, ServerProcess, type ServerProcessOptions } from './process/server-process.js';

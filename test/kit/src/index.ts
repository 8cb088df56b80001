export { type NodeStatus, StatusQuestion } from './cluster/ask-status.js';
export { type Cluster, type ClusterOptions, startCluster } from './cluster/start-cluster.js';
export { type NodeOptions, type NodeProcess, startNode } from './cluster/start-node.js';
export { untilSettled } from './cluster/until-settled.js';
export { type LeakWatch, watchForLeaks } from './leak-watch.js';
export { createDatabase, type FreshDatabase, freshDatabase } from './postgres/fresh-database.js';
export { type Postgres, type PostgresOptions, startPostgres } from './postgres/start-postgres.js';
export { freePorts } from './process/free-ports.js';
export { type Exit, ServerProcess, type ServerProcessOptions } from './process/server-process.js';

export type { NodeConfig, NodeLimits, ResolvedNodeConfig } from './config.js';
export { readNodeConfig, resolveNodeConfig } from './config.js';
export { type NodeOptions, startNode } from './node.js';
export type { RunningNode, StopReport } from './running-node.js';

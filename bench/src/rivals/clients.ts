import type { ConnectClient } from './client.js';

/** Every client of a comparison, by its name in the result, with the server that it talks to. */
interface ClientEntry {
  readonly server: ServerName;
  load(): Promise<{ connectClient: ConnectClient }>;
}

export type ServerName = 'larder-node' | 'larder-pair' | 'redis-server' | 'memcached';

/** Larder without other copies, and in a cluster of two nodes: with both copies acknowledged, or only the owner's. */
export const LARDER_PAIR_NAMES = ['larderReplicated', 'larderOwnerOnly'] as const;
export const CLIENT_NAMES = ['larder', ...LARDER_PAIR_NAMES, 'ioredis', 'ioredisAuto', 'nodeRedis', 'memjs'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

/** Larder is compared with the best of these. */
export const REDIS_CLIENT_NAMES = ['ioredis', 'ioredisAuto', 'nodeRedis'] as const satisfies readonly ClientName[];

export const CLIENTS: Readonly<Record<ClientName, ClientEntry>> = {
  larder: { server: 'larder-node', load: () => import('./larder.js') },
  larderReplicated: { server: 'larder-pair', load: () => import('./larder.js') },
  larderOwnerOnly: { server: 'larder-pair', load: () => import('./larder-owner-only.js') },
  ioredis: { server: 'redis-server', load: () => import('./ioredis.js') },
  ioredisAuto: { server: 'redis-server', load: () => import('./ioredis-auto.js') },
  nodeRedis: { server: 'redis-server', load: () => import('./node-redis.js') },
  memjs: { server: 'memcached', load: () => import('./memjs.js') },
};

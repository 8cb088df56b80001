import type { EvictionPolicyName } from '../storage.js';
import { Adaptive } from './adaptive/adaptive.js';
import type { EvictionPolicy, PolicyContext } from './eviction-policy.js';
import { Fifo } from './fifo.js';
import { Lfu } from './lfu.js';
import { Lru } from './lru.js';
import { RandomEviction } from './random.js';
import { TtlEviction } from './ttl.js';

const POLICIES: Readonly<Record<EvictionPolicyName, new (context: PolicyContext) => EvictionPolicy>> = {
  adaptive: Adaptive,
  lru: Lru,
  lfu: Lfu,
  fifo: Fifo,
  ttl: TtlEviction,
  random: RandomEviction,
};

export function createPolicy(name: EvictionPolicyName, context: PolicyContext): EvictionPolicy {
  return new POLICIES[name](context);
}

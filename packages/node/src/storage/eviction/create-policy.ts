import type { EvictionPolicyName } from '../storage.js';
import type { EvictionPolicy } from './eviction-policy.js';
import { Fifo } from './fifo.js';
import { Lru } from './lru.js';

export function createPolicy(name: EvictionPolicyName, words: Uint32Array): EvictionPolicy {
  switch (name) {
    case 'fifo':
      return new Fifo(words);
    default:
      return new Lru(words);
  }
}

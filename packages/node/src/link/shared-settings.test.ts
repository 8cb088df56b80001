import { describe, expect, it } from 'vitest';
import { faultOfSettings } from './shared-settings.js';

const settings = (...caches: string[]) => ({ caches, copies: 2 });
const fault = (theirs: string[], ours: string[]) =>
  faultOfSettings(settings(...theirs), settings(...ours), 'node n2')?.message;

describe('the settings of two nodes', () => {
  it.each<[string, string[], string[]]>([
    ['the same caches', ['a', 'b'], ['a', 'b']],
    ['one that is new there, at the end', ['a', 'b'], ['a']],
    ['one that is new here, at the end', ['a'], ['a', 'b']],
    ['none yet', [], ['a']],
  ])('fit: %s', (_, theirs, ours) => {
    expect(fault(theirs, ours)).toBeUndefined();
  });

  it.each<[string, string[], string[], string]>([
    ['another name', ['a', 'b'], ['a', 'c'], 'cache 2 of node n2 is "b", and of this node "c"'],
    ['another order', ['a', 'b', 'c'], ['a', 'c', 'b'], 'cache 2 of node n2 is "b", and of this node "c"'],
    ['a new one in the middle', ['a', 'new', 'b'], ['a', 'b'], 'cache 2 of node n2 is "new", and of this node "b"'],
    ['one that is gone from the front', ['b'], ['a', 'b'], 'cache 1 of node n2 is "b", and of this node "a"'],
  ])('do not fit: %s', (_, theirs, ours, message) => {
    expect(fault(theirs, ours)).toContain(`INCOMPATIBLE: ${message}; all nodes list the same caches in the same order`);
  });

  it('do not fit if one keeps more copies', () => {
    const one = { caches: ['a'], copies: 1 };
    expect(faultOfSettings(one, settings('a'), 'node n2')?.message).toBe(
      'INCOMPATIBLE: node n2 has cluster.copies 1; this node has 2',
    );
  });
});

import { keySlice } from '@larder/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DirtyKey } from './dirty-key.js';
import { DirtyList } from './dirty-list.js';

test('a DirtyList keeps the order of an array under the same changes', () => {
  const change = fc.record({ kind: fc.constantFrom('back', 'front', 'remove'), at: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const list = new DirtyList();
      const model: DirtyKey[] = [];
      for (const [index, { kind, at }] of changes.entries()) {
        if (kind === 'remove') {
          const [gone] = model.splice(at, 1);
          if (gone !== undefined) list.remove(gone);
          continue;
        }
        const key = new DirtyKey(`${index}`, keySlice(Buffer.from(`${index}`)));
        if (kind === 'back') model.push(key);
        else model.unshift(key);
        if (kind === 'back') list.pushBack(key);
        else list.pushFront(key);
      }
      const found: DirtyKey[] = [];
      for (let key = list.first; key !== undefined; key = key.next) found.push(key);
      expect(found).toEqual(model);
      expect(list.length).toBe(model.length);
    }),
  );
});

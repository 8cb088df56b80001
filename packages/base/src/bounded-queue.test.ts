import { expect, test } from 'vitest';
import { BoundedQueue } from './bounded-queue.js';

test('items come out in the order in which they went in, also after the ring has grown', () => {
  const queue = new BoundedQueue<number>(1000);
  const seen: number[] = [];
  for (let item = 0; item < 500; item++) {
    queue.push(item);
    if (item % 3 === 0) seen.push(queue.shift() as number);
  }
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) seen.push(item);
  expect(seen).toEqual(Array.from({ length: 500 }, (_, item) => item));
});

test('a full queue refuses and keeps what it has', () => {
  const queue = new BoundedQueue<string>(2);
  expect([queue.push('a'), queue.push('b'), queue.push('c')]).toEqual([true, true, false]);
  expect([queue.peek(), queue.shift(), queue.shift(), queue.shift()]).toEqual(['a', 'a', 'b', undefined]);
});

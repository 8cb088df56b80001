import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { watchForLeaks } from './leak-watch.js';

test('nothing is found where all was closed', async () => {
  const leaks = watchForLeaks();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.close();
  expect(await leaks.found()).toEqual([]);
});

test('a server that was left open is found, and no longer when it was closed', async () => {
  const leaks = watchForLeaks();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  expect(await leaks.found()).toEqual(['TCPServerWrap x 1']);
  server.close();
  expect(await leaks.found()).toEqual([]);
});

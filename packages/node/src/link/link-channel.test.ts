import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { peerService } from '@larder/proto';
import { expect, it } from 'vitest';
import { identity, LinkChannel } from './link-channel.js';

it('a channel that is closed cuts its connection, though the other side neither answers nor closes its own', async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const channel = new LinkChannel(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = channel.client.makeBidiStreamRequest(peerService.Link!.path, identity, identity);
  stream.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  await once(socket, 'data');
  channel.close();
  stream.cancel();
  socket.resume();
  await once(socket, 'end');
  // Only one side has ended yet, so this is sent; who has cut the connection answers with a reset.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const errors: NodeJS.ErrnoException[] = [];
  socket.on('error', (error) => errors.push(error));
  const write = (): void => {
    if (socket.writable) socket.write('are you there?', () => setImmediate(write));
  };
  write();
  await closed;
  expect(['ECONNRESET', 'EPIPE']).toContain(errors[0]?.code);
  server.close();
});

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from './connect.js';
import { connectTo, startNode, startNodes } from './connection/testing/connected.js';
import { rejection } from './connection/testing/rejection.js';
import type { ScriptedNode } from './connection/testing/scripted-node.js';
import type { ConnectOptions } from './options.js';

/** An address that accepts connections and never says a word. */
async function silentAddress(): Promise<string> {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address that nobody listens on. */
async function closedAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

test('a client knows the cluster from any of its nodes', async () => {
  const nodes = await startNodes(3);
  for (const node of nodes) {
    const larder = await connectTo(node);
    expect(larder.topology()).toEqual(node.view);
    expect(larder.topology().nodes.map(({ id }) => id)).toEqual(['n1', 'n2', 'n3']);
  }
});

test('endpoints may be a list, a string, or a function that finds them', async () => {
  const { address } = await startNode();
  for (const endpoints of [
    [address],
    ` larder://${address},${address}`.trim(),
    async () => [address],
    () => [address],
  ]) {
    const larder = await connect({ endpoints, connectTimeout: '20s' });
    expect(larder.topology().version).toBe(1);
    larder.destroy();
  }
});

test('one endpoint that answers is enough', async () => {
  const node = await startNode();
  const endpoints = [await closedAddress(), await silentAddress(), node.address];
  for (let attempt = 0; attempt < 3; attempt++) {
    const larder = await connect({ endpoints, connectTimeout: '20s' });
    expect(larder.topology()).toEqual(node.view);
    larder.destroy();
  }
});

test('a cluster that is just starting is waited for', async () => {
  const node = await startNode();
  node.kill();
  const connecting = connect({ endpoints: node.address, connectTimeout: '20s' });
  await new Promise((resolve) => setImmediate(resolve));
  await node.listen();
  (await connecting).destroy();
});

describe('nobody answers', () => {
  test('UNAVAILABLE after the time that was given, and each endpoint with its cause', async () => {
    const [closed, silent] = [await closedAddress(), await silentAddress()];
    const error = await rejection(connect({ endpoints: [closed, silent], connectTimeout: '3s' }));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(error.message).toMatch(/^UNAVAILABLE: no endpoint answered within 3000 ms \(/);
    expect(error.message).toContain(`${closed}: node ${closed} cannot be reached`);
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.message).toContain(`${silent}: node ${silent}`);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test('a function that fails is a cause too', async () => {
    const endpoints = async () => {
      throw new Error('no such service');
    };
    const error = await rejection(connect({ endpoints, connectTimeout: 50 }));
    expect(error.message).toContain('(endpoints(): no such service)');
  });

  test('a server that is no node of Larder is named as such', async () => {
    const node = await startNode();
    node.viewAnswer = { view: { version: 1, nodes: [], owners: [] } };
    const error = await rejection(connect({ endpoints: node.address, connectTimeout: '1s' }));
    expect(error.message).toContain('a view of 0 partitions where 1024 are due');
    node.viewAnswer = {};
    expect((await rejection(connect({ endpoints: node.address, connectTimeout: '1s' }))).message).toContain(
      'answered without a view',
    );
  });

  test('a signal ends the search', async () => {
    const endpoints = await closedAddress();
    const abort = new AbortController();
    const connecting = rejection(connect({ endpoints, signal: abort.signal }));
    abort.abort(new Error('enough'));
    expect(await connecting).toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    const aborted = rejection(connect({ endpoints, signal: AbortSignal.abort() }));
    expect(await aborted).toMatchObject({ code: 'ABORTED' });
  });
});

test('a view with an address that is none is no view to work with', async () => {
  const node: ScriptedNode = await startNode();
  node.view = { ...node.view, nodes: [{ id: 'n1', address: 'unix:/tmp/x' }] };
  const error = await rejection(connect({ endpoints: node.address }));
  expect(error).toMatchObject({ code: 'INTERNAL' });
  expect(error.message).toContain("the address of node 'n1' is 'unix:/tmp/x', not host:port");
});

describe('wrong options', () => {
  const ok = '127.0.0.1:7000';
  test.each<[unknown, RegExp]>([
    [undefined, /the options of connect are undefined/],
    [{}, /endpoints is undefined; allowed are 1 to 1024 of host:port/],
    [{ endpoints: [] }, /endpoints is \[\]; allowed are/],
    [{ endpoints: '' }, /endpoints holds ''; allowed is host:port/],
    [{ endpoints: 'localhost' }, /endpoints holds 'localhost'/],
    [{ endpoints: 'localhost:99999' }, /endpoints holds 'localhost:99999'/],
    [{ endpoints: ['a:1', 7000] }, /endpoints holds 7000/],
    [{ endpoints: 'http://localhost:7000' }, /endpoints holds 'http:\/\/localhost:7000'/],
    [{ endpoints: async () => ['nowhere'] }, /endpoints holds 'nowhere'/],
    [{ endpoints: ok, timeout: 0 }, /timeout is 0; allowed are 1 ms to 10 min/],
    [{ endpoints: ok, timeout: 1n }, /timeout is 1n; allowed are milliseconds/],
    [{ endpoints: ok, connectTimeout: 'ages' }, /connectTimeout is 'ages'; allowed are milliseconds/],
    [{ endpoints: ok, name: 'x'.repeat(129) }, /name is 'xxx.*; allowed is a string of up to 128 characters/],
    [{ endpoints: ok, name: 5 }, /name is 5; allowed/],
    [{ endpoints: ok, timeOut: 5 }, /connect has no option 'timeOut'; there are endpoints, codec, timeout/],
    [{ endpoints: ok, codec: {} }, /codec is \{\}; allowed are/],
  ])('%# is refused with what would be allowed', async (options, message) => {
    const error = await rejection(connect(options as ConnectOptions));
    expect(error.code).toBe('BAD_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});

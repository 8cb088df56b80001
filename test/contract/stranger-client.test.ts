import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Cluster, startCluster } from '@larder/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GeneratedClient } from './generated-client.js';

// Somebody who has never heard of our client, only of the .proto: buf's Go client, and one that protobufjs generates.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUF = `${ROOT}/node_modules/.bin/buf`;
const run = promisify(execFile);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ config: { memory: '64MiB', caches: { greetings: {} } } });
});
afterAll(() => cluster.stop());

const FROM_FILES = ['--schema', `${ROOT}/proto`];
const BY_REFLECTION = ['--reflect'];

async function curl(schema: string[], address: string, method: string, request: object): Promise<unknown> {
  const url = `http://${address}/larder.v1.${method}`;
  const flags = ['--protocol', 'grpc', '--http2-prior-knowledge', ...schema, '--data', JSON.stringify(request)];
  const { stdout } = await run(BUF, ['curl', ...flags, url]);
  return JSON.parse(stdout);
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('buf sets a key through each node and gets it through every node, knowing only the .proto', async () => {
  for (const [index, writer] of cluster.endpoints.entries()) {
    const entry = { cache: 'greetings', key: base64(`hello ${index}`) };
    const written = await curl(FROM_FILES, writer, 'CacheService/Set', { ...entry, value: base64('world') });
    expect(written).toMatchObject({ copies: 2 });
    for (const reader of cluster.endpoints) {
      expect(await curl(FROM_FILES, reader, 'CacheService/Get', entry)).toMatchObject({ value: base64('world') });
    }
  }
});

describe('buf by reflection, knowing nothing', () => {
  test('sets and gets', async () => {
    const [writer, reader] = cluster.endpoints as [string, string];
    const entry = { cache: 'greetings', key: base64('reflected') };
    await curl(BY_REFLECTION, writer, 'CacheService/Set', { ...entry, value: base64('light') });
    expect(await curl(BY_REFLECTION, reader, 'CacheService/Get', entry)).toMatchObject({ value: base64('light') });
  });

  test('asks an operator’s questions', async () => {
    const statistics = await curl(BY_REFLECTION, cluster.endpoints[0] as string, 'AdminService/GetStatistics', {});
    expect(statistics).toMatchObject({ nodeId: 'n1', caches: [{ name: 'greetings' }] });
  });

  test('speaks on the session', async () => {
    const { view } = (await curl(BY_REFLECTION, cluster.endpoints[0] as string, 'CacheService/Session', {
      hello: { protocol: 1 },
    })) as { view: { nodes: { id: string }[] } };
    expect(view.nodes.map((node) => node.id)).toEqual(['n1', 'n2', 'n3']);
  });

  test('gets a fault as a gRPC status with its code and what became of the write', async () => {
    const call = curl(BY_REFLECTION, cluster.endpoints[0] as string, 'CacheService/Get', {
      cache: 'grettings',
      key: '',
    });
    const { stderr } = await call.then(
      () => expect.fail('the call did not fail'),
      (error: { stderr: string }) => error,
    );
    expect(JSON.parse(stderr)).toMatchObject({ code: 'not_found' });
    expect(stderr).toContain('UNKNOWN_CACHE: no cache is named \\"grettings\\"; declared are: greetings');
  });
});

test('a generated client sets through one node and gets through another', async () => {
  const [writer, reader] = cluster.endpoints.map((address) => new GeneratedClient(address)) as GeneratedClient[];
  const key = Buffer.from('generated');
  await writer?.call('Set', { cache: 'greetings', key, value: Buffer.from('hello') });
  expect((await reader?.call('Get', { cache: 'greetings', key }))?.value).toEqual(Buffer.from('hello'));
  writer?.close();
  reader?.close();
});

test('the standard health service says that every node serves', async () => {
  for (const address of cluster.endpoints) {
    const client = new GeneratedClient(address);
    for (const service of ['', 'larder.v1.CacheService', 'larder.v1.AdminService']) {
      expect(await client.health(service)).toBe('SERVING');
    }
    await expect(client.health('larder.v1.Nothing')).rejects.toThrow('NOT_FOUND');
    client.close();
  }
});

test('the contract passes buf lint', async () => {
  await expect(run(BUF, ['lint', `${ROOT}/proto`])).resolves.toMatchObject({ stdout: '' });
});

import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePorts, startCluster, startNode } from '@larder/test-kit';
import { expect, test } from 'vitest';

const CONFIG = { memory: '32MiB', caches: { plain: {} } };

test('a cluster of three nodes starts, loses one, has it back on the same address, and stops cleanly', async () => {
  const cluster = await startCluster({ config: CONFIG });
  expect(cluster.nodes.map((node) => node.id)).toEqual(['n1', 'n2', 'n3']);
  expect(new Set(cluster.endpoints).size).toBe(3);
  const lost = cluster.node('n2');
  const { pid, address } = lost;
  lost.kill();
  expect(await lost.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await lost.restart();
  expect(lost.address).toBe(address);
  expect(lost.pid).not.toBe(pid);
  await cluster.stop();
  for (const node of cluster.nodes) expect(await node.exited).toEqual({ code: 0, signal: null });
  expect(() => cluster.node('n4')).toThrow('no node is named n4; there are n1, n2, n3');
});

test('ports that are taken are left to whoever has them', async () => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const { port } = occupant.address() as { port: number };
  const [first, second] = (await freePorts(2)) as [number, number];
  const cluster = await startCluster({ config: CONFIG, nodes: 3, preferredPorts: [first, second, port] });
  for (const taken of [first, second, port]) expect(cluster.endpoints).not.toContain(`127.0.0.1:${taken}`);
  await cluster.stop();
  occupant.close();
});

test('a cluster that cannot start says why and leaves nothing running', async () => {
  const config = { memory: '32MiB', caches: { plain: { tll: '1s' } } };
  await expect(startCluster({ config })).rejects.toThrow(
    /larder-node n\d ended with exit code 78.*caches\.plain\.tll/s,
  );
});

test('one node can be started by itself', async () => {
  const [port] = await freePorts(1);
  const config = { id: 'only', address: `127.0.0.1:${port}`, configPath: '/no/such/file.yaml' };
  await expect(startNode(config)).rejects.toThrow(/larder-node only ended with exit code 66/);
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { type ChaosNetwork, CLIENTS } from './chaos-network.js';
import { NamespaceNetwork } from './namespace-network.js';
import { ProxyNetwork } from './proxy-network.js';

// A "node" here answers every byte with the same byte, and tells of what it got. Told "call ADDRESS TEXT" on its standard
// input, it opens a connection to another and prints what comes back.
const ECHO = `
  const net = require('net');
  const [host, port] = process.argv[1].split(':');
  net.createServer((socket) => {
    socket.on('error', () => {}).on('data', (data) => { console.log('got ' + data); socket.write(data); });
  }).listen(Number(port), host, () => console.log('ready'));
  const calls = new Map();
  require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [, address, text] = line.split(' ');
    let socket = calls.get(address);
    if (!socket) {
      const [host, port] = address.split(':');
      socket = net.connect({ host, port: Number(port) }).on('error', () => {});
      socket.on('data', (data) => console.log('back ' + data));
      calls.set(address, socket);
    }
    socket.write(text);
  }).on('close', () => process.exit());`;

interface Echo {
  readonly address: string;
  readonly child: ChildProcess;
  /** What it printed and nobody has asked for. */
  readonly lines: string[];
  call(to: Echo, text: string): void;
  /** Resolves with the next line of output. */
  next(): Promise<string>;
}

const opened: { network: ChaosNetwork; echoes: Echo[] }[] = [];

afterEach(async () => {
  for (const { network, echoes } of opened.splice(0)) {
    for (const { child } of echoes) {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, 'close');
    }
    await network.close();
  }
});

async function echoes(network: ChaosNetwork, count: number): Promise<Echo[]> {
  const started: Echo[] = [];
  opened.push({ network, echoes: started });
  for (let index = 1; index <= count; index++) started.push(await startEcho(network, `n${index}`));
  return started;
}

async function startEcho(network: ChaosNetwork, id: string): Promise<Echo> {
  const { listen, address, prefix } = await network.addNode(id);
  const [program, ...args] = [...prefix, process.execPath, '-e', ECHO, listen];
  const child = spawn(program as string, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  network.nodeProcess(id, child.pid as number);
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => lines.push(line));
  const next = async (): Promise<string> => {
    while (lines.length === 0) await once(output, 'line');
    return lines.shift() as string;
  };
  expect(await next()).toBe('ready');
  const call = (to: Echo, text: string): void => void child.stdin.write(`call ${to.address} ${text}\n`);
  return { address, child, lines, call, next };
}

const namespaces = await NamespaceNetwork.open().then(
  async (network) => {
    await network.close();
    return true;
  },
  () => false,
);

const kinds: [string, () => Promise<ChaosNetwork>][] = [['proxy', () => ProxyNetwork.open()]];
if (namespaces) kinds.push(['namespaces', () => NamespaceNetwork.open()]);

describe.each(kinds)('the network made of %s', (_, open) => {
  test('a cut holds one direction of one pair back, and what was sent arrives when it is mended', async () => {
    const network = await open();
    const [one, two, three] = (await echoes(network, 3)) as [Echo, Echo, Echo];
    one.call(two, 'a');
    expect([await two.next(), await one.next()]).toEqual(['got a', 'back a']);

    await network.cut('n2', 'n1');
    one.call(two, 'b');
    expect(await two.next()).toBe('got b');
    three.call(two, 'c');
    expect([await two.next(), await three.next()]).toEqual(['got c', 'back c']);
    expect(one.lines).toEqual([]);

    await network.mend();
    expect(await one.next()).toBe('back b');
  });

  test('a connection that is opened while the pair is cut comes into being when it is mended', async () => {
    const network = await open();
    const [one, two] = (await echoes(network, 2)) as [Echo, Echo];
    await network.cut('n1', 'n2');
    one.call(two, 'a');
    two.call(two, 'x');
    expect(await two.next()).toBe('got x');
    expect(await two.next()).toBe('back x');
    await network.mend();
    expect([await two.next(), await one.next()]).toEqual(['got a', 'back a']);
  });

  test('clients are cut off without the nodes', async () => {
    const network = await open();
    const [one, two] = (await echoes(network, 2)) as [Echo, Echo];
    await network.cut(CLIENTS, 'n2');
    await network.cut('n2', CLIENTS);
    one.call(two, 'a');
    expect([await two.next(), await one.next()]).toEqual(['got a', 'back a']);
  });
});

test('the proxy delays what goes to a node and what comes from it', async () => {
  const network = await ProxyNetwork.open();
  const [one, two, three] = (await echoes(network, 3)) as [Echo, Echo, Echo];
  one.call(two, 'a');
  expect([await two.next(), await one.next()]).toEqual(['got a', 'back a']);
  await network.delay('n2', 400);
  const beganMs = performance.now();
  one.call(two, 'b');
  three.call(one, 'c');
  expect(await one.next()).toBe('got c');
  expect(await one.next()).toBe('back b');
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(400);
  await network.delay('n2', 0);
});

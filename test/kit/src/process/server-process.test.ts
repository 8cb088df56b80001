import { expect, test } from 'vitest';
import { ServerProcess } from './server-process.js';

function script(code: string, options: { readyTimeoutMs?: number; stopTimeoutMs?: number } = {}) {
  const isReady = (line: string) => line === 'ready';
  return { name: 'the script', command: process.execPath, args: ['-e', code], isReady, ...options };
}

const STAY = 'setInterval(() => {}, 1000);';

test('a server is there once it says so, keeps its log, and ends with its own exit code', async () => {
  const server = await ServerProcess.start(
    script(`process.on('SIGTERM', () => process.exit(7)); console.log('warming up\\nready'); ${STAY}`),
  );
  expect(server.isRunning).toBe(true);
  expect(server.log).toEqual(['warming up', 'ready']);
  expect(await server.stop()).toEqual({ code: 7, signal: null });
  expect(server.isRunning).toBe(false);
  expect(server.kill()).toBe(false);
  expect(await server.stop()).toEqual({ code: 7, signal: null });
});

test('who starts a server knows its process before it serves', async () => {
  const pids: number[] = [];
  const server = await ServerProcess.start({
    ...script(`console.log(process.pid); console.log('ready'); ${STAY}`),
    onSpawn: (pid) => pids.push(pid),
  });
  expect(server.log[0]).toBe(String(pids[0]));
  await server.stop();
});

test('a server that ends before it is ready is an error with its last words', async () => {
  const start = ServerProcess.start(script(`console.error('port taken'); process.exitCode = 3;`));
  await expect(start).rejects.toThrow(/the script ended with exit code 3 before it was ready.*\nport taken/s);
});

test('a server that never becomes ready is killed and said so', async () => {
  const start = ServerProcess.start(script(`console.log('still busy'); ${STAY}`, { readyTimeoutMs: 500 }));
  await expect(start).rejects.toThrow('the script was not ready within 500 ms');
});

test('a program that is not there is an error that names it', async () => {
  const options = { ...script(''), command: '/no/such/program' };
  await expect(ServerProcess.start(options)).rejects.toThrow(/the script cannot be started: .*ENOENT/);
});

test('a paused server can be stopped, and one that does not listen is killed', async () => {
  const paused = await ServerProcess.start(script(`console.log('ready'); ${STAY}`));
  paused.kill('SIGSTOP');
  expect(await paused.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  const deaf = script(`process.on('SIGTERM', () => {}); console.log('ready'); ${STAY}`, { stopTimeoutMs: 50 });
  expect(await (await ServerProcess.start(deaf)).stop()).toEqual({ code: null, signal: 'SIGKILL' });
});

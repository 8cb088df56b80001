import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runProcess } from './run-process.mjs';

const bootstrap = fileURLToPath(new URL('bootstrap.mjs', import.meta.url));

test('a Node that is too old is told so, and with what to do', async () => {
  const pretend = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.18.3"}})';
  const { code, output } = await runProcess(process.execPath, ['--import', pretend, bootstrap, 'build'], {
    stdio: 'capture',
  });
  expect(output).toBe('Larder needs Node 20.19 or newer, and this is Node 20.18.3: https://nodejs.org\n');
  expect(code).toBe(1);
});

test('an unknown command is refused with those that there are', async () => {
  const { code, output } = await runProcess(process.execPath, [bootstrap, 'toString'], { stdio: 'capture' });
  expect(output).toMatch(/^unknown command 'toString'; there are: start, bench, .*build\n$/);
  expect(code).toBe(2);
});

test('a process that a signal ended has the exit code that a shell gives it', async () => {
  const script = `process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`;
  expect((await runProcess(process.execPath, ['-e', script], { stdio: 'capture' })).code).toBe(143);
  expect((await runProcess(process.execPath, ['-e', 'process.exit(7)'])).code).toBe(7);
});

test('a program that is not there is an error that names it', async () => {
  await expect(runProcess('/no/such/program', [])).rejects.toThrow(/cannot run \/no\/such\/program: .*ENOENT/);
});

import { LarderError } from '@larder/proto';
import { expect, test } from 'vitest';
import { parseCommandLine } from './command-line.js';
import { ExitCode } from './exit-code.js';

const NODES = 'n1=10.0.0.1:7400,n2=10.0.0.2:7400';

function fault(...args: string[]): LarderError {
  try {
    parseCommandLine(args);
  } catch (error) {
    if (error instanceof LarderError) return error;
    throw error;
  }
  throw new Error('no fault was found');
}

function withFlags(flags: Record<string, string>): string[] {
  const all = { config: 'larder.yaml', id: 'n1', listen: '10.0.0.1:7400', nodes: NODES, ...flags };
  return Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [`--${name}`, value]));
}

test('a command line says which node this is and which others there are', () => {
  expect(parseCommandLine(withFlags({}))).toEqual({
    configPath: 'larder.yaml',
    id: 'n1',
    listen: '10.0.0.1:7400',
    nodes: [
      { id: 'n1', address: '10.0.0.1:7400' },
      { id: 'n2', address: '10.0.0.2:7400' },
    ],
  });
});

test('flags may be written with an equals sign', () => {
  const { id, nodes } = parseCommandLine(['--config=a.yaml', '--id=n9', '--listen=127.0.0.1:7400']);
  expect(id).toBe('n9');
  expect(nodes).toEqual([{ id: 'n9', address: '127.0.0.1:7400' }]);
});

test('a node may listen on every interface or on a name, where its address in the list cannot be compared', () => {
  for (const listen of ['0.0.0.0:7400', '[::]:7400', 'localhost:7400']) {
    expect(parseCommandLine(withFlags({ listen })).listen).toBe(listen);
  }
});

test.each([
  ['a missing flag', withFlags({ config: '' }), '--config is missing'],
  ['a misspelt flag', [...withFlags({}), '--listne', 'x'], 'did you mean --listen?'],
  ['a stray word', [...withFlags({}), 'start'], 'unknown argument start'],
  ['an id that is not in the list', withFlags({ id: 'n3' }), '--id is n3, which is not in --nodes; allowed is n1, n2'],
  ['an id of odd characters', withFlags({ id: 'n 1' }), '--id is "n 1"'],
  ['an address without a port', withFlags({ listen: '10.0.0.1' }), '--listen is "10.0.0.1"; allowed is HOST:PORT'],
  ['a port that is none', withFlags({ listen: '10.0.0.1:70000' }), '--listen is "10.0.0.1:70000"'],
  ['a list that is none', withFlags({ nodes: 'n1' }), '--nodes has "n1"'],
  ['an id twice', withFlags({ nodes: `${NODES},n1=10.0.0.3:7400` }), '--nodes names the id n1 twice'],
  ['an address twice', withFlags({ nodes: `${NODES},n3=10.0.0.1:7400` }), 'names the address 10.0.0.1:7400 twice'],
  ['an address nobody can connect to', withFlags({ nodes: 'n1=0.0.0.0:7400' }), 'which clients cannot connect to'],
  ['another port than the list says', withFlags({ listen: '10.0.0.1:7401' }), 'but --nodes says that n1 is at'],
  ['another IP than the list says', withFlags({ listen: '10.0.0.9:7400' }), 'but --nodes says that n1 is at'],
  ['every interface and no list', withFlags({ listen: '0.0.0.0:7400', nodes: '' }), '--nodes is missing'],
])('%s is refused with exit code 64', (_name, args, message) => {
  const error = fault(...args);
  expect(error.message).toContain(message);
  expect(error.message).not.toContain('\n');
  expect(error.details?.exitCode).toBe(ExitCode.usage);
});

import { LarderError } from '@larder/proto';
import { expect, test } from 'vitest';
import { parseCommandLine } from './command-line.js';
import { ExitCode } from './exit-code.js';

const VOTERS = 'n1=10.0.0.1:7400,n2=10.0.0.2:7400,n3=10.0.0.3:7400';

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
  const all = { config: 'larder.yaml', id: 'n1', listen: '10.0.0.1:7400', voters: VOTERS, ...flags };
  return Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [`--${name}`, value]));
}

test('a founder is told who keeps the view with it', () => {
  expect(parseCommandLine(withFlags({ data: '/var/lib/larder', zone: 'a', weight: '3' }))).toEqual({
    configPath: 'larder.yaml',
    id: 'n1',
    listen: '10.0.0.1:7400',
    advertise: '10.0.0.1:7400',
    voters: [
      { id: 'n1', address: '10.0.0.1:7400' },
      { id: 'n2', address: '10.0.0.2:7400' },
      { id: 'n3', address: '10.0.0.3:7400' },
    ],
    join: [],
    dataPath: '/var/lib/larder',
    zone: 'a',
    weight: 3,
  });
});

test('a node that joins is told some of those that are there', () => {
  const { voters, join, advertise } = parseCommandLine(
    withFlags({ voters: '', join: '10.0.0.1:7400, 10.0.0.2:7400', listen: '0.0.0.0:7400', advertise: 'n4:7400' }),
  );
  expect({ voters, join, advertise }).toEqual({
    voters: [],
    join: ['10.0.0.1:7400', '10.0.0.2:7400'],
    advertise: 'n4:7400',
  });
});

test('a node that is told of no others is a cluster of its own; flags may be written with an equals sign', () => {
  const { id, voters } = parseCommandLine(['--config=a.yaml', '--id=n9', '--listen=127.0.0.1:7400']);
  expect(id).toBe('n9');
  expect(voters).toEqual([{ id: 'n9', address: '127.0.0.1:7400' }]);
});

test('a node may listen on every interface or on a name when the list says where it is reached', () => {
  for (const listen of ['0.0.0.0:7400', '[::]:7400', 'localhost:7400']) {
    expect(parseCommandLine(withFlags({ listen })).advertise).toBe('10.0.0.1:7400');
  }
});

test.each([
  ['a missing flag', withFlags({ config: '' }), '--config is missing'],
  ['a misspelt flag', [...withFlags({}), '--listne', 'x'], 'did you mean --listen?'],
  [
    'the flag of earlier versions',
    [...withFlags({}), '--nodes', 'x'],
    '--nodes is no more: name the founders with --voters',
  ],
  ['a stray word', [...withFlags({}), 'start'], 'unknown argument start'],
  [
    'a misspelt command',
    ['stauts', '--connect', 'a:1'],
    'unknown command stauts; did you mean status? Allowed are status,',
  ],
  [
    'a misspelt command of two words',
    ['postgres', 'install-trigers', '--config', 'x'],
    'unknown command postgres install-trigers; did you mean postgres install-triggers?',
  ],
  [
    'a command cut short',
    ['postgres'],
    'unknown command postgres. Allowed are status, explain, dead-letters, postgres',
  ],
  ['both ways in', withFlags({ join: '10.0.0.1:7400' }), '--voters and --join are both given'],
  ['an id of odd characters', withFlags({ id: 'n 1' }), '--id is "n 1"'],
  ['an address without a port', withFlags({ listen: '10.0.0.1' }), '--listen is "10.0.0.1"; allowed is HOST:PORT'],
  ['a port that is none', withFlags({ listen: '10.0.0.1:70000' }), '--listen is "10.0.0.1:70000"'],
  ['a list that is none', withFlags({ voters: 'n1' }), '--voters has "n1"'],
  [
    'two voters',
    withFlags({ voters: 'n1=10.0.0.1:7400,n2=10.0.0.2:7400' }),
    '--voters names 2 nodes; allowed are 1, 3 or 5',
  ],
  ['an id twice', withFlags({ voters: VOTERS.replace('n2', 'n1') }), '--voters names the id n1 twice'],
  ['an address twice', withFlags({ voters: VOTERS.replace('0.2', '0.1') }), 'names the address 10.0.0.1:7400 twice'],
  ['a voter nobody can connect to', withFlags({ voters: 'n1=0.0.0.0:7400' }), 'which nobody can connect to'],
  ['a node to join nobody can connect to', withFlags({ voters: '', join: '0.0.0.0:1' }), 'which nobody can connect to'],
  ['no address to be reached by', withFlags({ voters: '', listen: '0.0.0.0:7400' }), '--advertise is missing'],
  [
    'another address than the list says',
    withFlags({ advertise: '10.0.0.9:7400' }),
    'but --voters says that n1 is at 10.0.0.1:7400',
  ],
  ['a weight that is none', withFlags({ weight: '0' }), '--weight is "0"; allowed are whole numbers from 1 to 1000'],
])('%s is refused with exit code 64', (_name, args, message) => {
  const error = fault(...args);
  expect(error.message).toContain(message);
  expect(error.message).not.toContain('\n');
  expect(error.details?.exitCode).toBe(ExitCode.usage);
});

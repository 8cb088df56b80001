import type { ViewNode } from '@larder/proto';
import { parseArgs } from 'citty';
import { WEIGHT_MAX } from './cluster/view-document.js';
import { type Address, isEveryInterface, parseAddress } from './config/address.js';
import { closestName } from './config/closest-name.js';
import { ExitCode, startFault } from './exit-code.js';

/** What `larder-node` is told on its command line: which node it is, and how it finds its cluster. */
export interface CommandLine {
  readonly configPath: string;
  readonly id: string;
  /** host:port */
  readonly listen: string;
  /** host:port by which clients and other nodes reach this one. */
  readonly advertise: string;
  /** The nodes that keep the view and found the cluster; this one alone if the command line names no others. Empty with `join`. */
  readonly voters: readonly ViewNode[];
  /** Addresses of nodes of a running cluster. */
  readonly join: readonly string[];
  /** Where a voter keeps what it must not forget; undefined: in memory. */
  readonly dataPath: string | undefined;
  readonly zone: string;
  readonly weight: number;
}

export const flags = {
  config: { type: 'string', description: 'Configuration file, YAML or JavaScript', valueHint: 'FILE' },
  id: { type: 'string', description: 'Id of this node, unique in the cluster', valueHint: 'n1' },
  listen: { type: 'string', description: 'Address to listen on', valueHint: 'HOST:PORT' },
  advertise: {
    type: 'string',
    description: 'Address by which clients and other nodes reach this one. Default: as in --voters, else --listen',
    valueHint: 'HOST:PORT',
  },
  voters: {
    type: 'string',
    description:
      'The 1, 3 or 5 nodes that found the cluster and keep its view, the same list on all. Default: this one',
    valueHint: 'n1=HOST:PORT,n2=...',
  },
  join: {
    type: 'string',
    description: 'Nodes of a running cluster to join, any of them',
    valueHint: 'HOST:PORT,...',
  },
  data: {
    type: 'string',
    description: 'Directory in which a voter keeps its file. Default: none, a voter that is restarted votes no more',
    valueHint: 'DIR',
  },
  zone: { type: 'string', description: 'Zone of this node; copies go to different zones', valueHint: 'NAME' },
  weight: { type: 'string', description: 'Share of the partitions, 1 to 1000. Default 1', valueHint: 'N' },
} as const;

/** What `larder-node` can be told to do, as its first words, in place of being a node. */
export const COMMANDS = ['status', 'explain', 'dead-letters', 'postgres install-triggers'] as const;

const ID_FORM = 'a letter or digit, then up to 63 letters, digits, dots, hyphens and underscores';
const ADDRESS_FORM = 'HOST:PORT with a port from 1 to 65535, for example 127.0.0.1:7400 or [::1]:7400';
const JOIN_MAX = 64;

/** Throws BAD_ARGUMENT with exit code 64 for the first fault. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  refuseUnknown(args);
  const given = parseArgs(args.map(String), flags);
  const configPath = required('config', given.config, 'the path of a .yaml, .yml, .js or .mjs file');
  const id = checkedId('--id', required('id', given.id, ID_FORM));
  const listen = required('listen', given.listen, ADDRESS_FORM);
  const address = checkedAddress('--listen', listen);
  if (given.voters !== undefined && given.join !== undefined) {
    throw usage(
      '--voters and --join are both given; give --voters on the nodes that found a cluster, --join on all others',
    );
  }
  const named = given.voters === undefined ? [] : parseVoters(String(given.voters));
  const advertise = advertised(given.advertise, id, listen, address, named);
  const join = given.join === undefined ? [] : parseJoin(String(given.join));
  return {
    configPath,
    id,
    listen,
    advertise,
    voters: named.length > 0 || join.length > 0 ? named : [{ id, address: advertise }],
    join,
    dataPath: given.data === undefined ? undefined : required('data', given.data, 'the path of a directory'),
    zone: given.zone === undefined ? '' : checkedId('--zone', String(given.zone)),
    weight: given.weight === undefined ? 1 : checkedWeight(String(given.weight)),
  };
}

function refuseUnknown(args: readonly string[]): void {
  const known = Object.keys(flags);
  if (args[0] !== undefined && !args[0].startsWith('-')) throw unknownCommand(args);
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string;
    const name = /^--([a-z]+)(=|$)/.exec(argument)?.[1];
    if (name === undefined || !known.includes(name)) {
      if (name === 'nodes')
        throw usage('--nodes is no more: name the founders with --voters, and start others with --join');
      const closest = closestName(argument.replace(/^-*|=.*$/g, ''), known);
      const hint = closest === undefined ? '' : `; did you mean --${closest}?`;
      throw usage(
        `unknown argument ${argument}${hint || '.'} Allowed are ${known.map((flag) => `--${flag}`).join(', ')}`,
      );
    }
    if (!argument.includes('=')) index++;
  }
}

function unknownCommand(args: readonly string[]): Error {
  const flagAt = args.findIndex((argument) => argument.startsWith('-'));
  const words = (flagAt < 0 ? args : args.slice(0, flagAt)).join(' ');
  const closest = closestName(words, COMMANDS);
  const hint = closest === undefined ? '' : `; did you mean ${closest}?`;
  return usage(`unknown command ${words}${hint || '.'} Allowed are ${COMMANDS.join(', ')}, or flags alone for a node`);
}

function required(flag: string, value: unknown, form: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw usage(`--${flag} is missing; give ${form}`);
}

function checkedId(name: string, id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) return id;
  throw usage(`${name} is ${JSON.stringify(id)}; allowed is ${ID_FORM}`);
}

function checkedAddress(name: string, text: string): Address {
  const address = parseAddress(text);
  if (address) return address;
  throw usage(`${name} is ${JSON.stringify(text)}; allowed is ${ADDRESS_FORM}`);
}

/** The address that others use: what is said, else what the list of voters says, else the one to listen on. */
function advertised(given: unknown, id: string, listen: string, address: Address, voters: readonly ViewNode[]): string {
  const inList = voters.find((voter) => voter.id === id)?.address;
  const text = given === undefined ? inList : required('advertise', given, ADDRESS_FORM);
  if (text === undefined) {
    if (!isEveryInterface(address)) return listen;
    throw usage(`--advertise is missing; with --listen ${listen} it must say by which address this node is reached`);
  }
  if (inList !== undefined && text !== inList) {
    throw usage(`--advertise is ${text}, but --voters says that ${id} is at ${inList}`);
  }
  reachable(`--advertise`, text);
  return text;
}

function parseVoters(text: string): ViewNode[] {
  const voters = text.split(',').map((item) => {
    const equals = item.indexOf('=');
    if (equals < 0) throw usage(`--voters has ${JSON.stringify(item)}; allowed is ID=HOST:PORT,ID=HOST:PORT,...`);
    const id = checkedId('--voters: the id', item.slice(0, equals).trim());
    const address = item.slice(equals + 1).trim();
    reachable(`--voters: the address of ${id}`, address);
    return { id, address };
  });
  if (![1, 3, 5].includes(voters.length)) {
    throw usage(`--voters names ${voters.length} nodes; allowed are 1, 3 or 5. All others come with --join`);
  }
  refuseDuplicates(voters, 'id');
  refuseDuplicates(voters, 'address');
  return voters;
}

function parseJoin(text: string): string[] {
  const addresses = text.split(',').map((item) => item.trim());
  for (const address of addresses) reachable('--join: the address', address);
  if (addresses.length > JOIN_MAX) {
    throw usage(`--join names ${addresses.length} addresses; allowed are 1 to ${JOIN_MAX}`);
  }
  return addresses;
}

function reachable(name: string, address: string): void {
  if (!isEveryInterface(checkedAddress(name, address))) return;
  throw usage(`${name} is ${address}, which nobody can connect to; give a name or an IP`);
}

function checkedWeight(text: string): number {
  const weight = Number(text);
  if (Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX) return weight;
  throw usage(`--weight is ${JSON.stringify(text)}; allowed are whole numbers from 1 to ${WEIGHT_MAX}`);
}

function refuseDuplicates(nodes: readonly ViewNode[], field: 'id' | 'address'): void {
  const seen = new Set<string>();
  for (const node of nodes) {
    if (seen.has(node[field])) throw usage(`--voters names the ${field} ${node[field]} twice; each node has its own`);
    seen.add(node[field]);
  }
}

function usage(message: string): Error {
  return startFault(ExitCode.usage, 'BAD_ARGUMENT', `${message}. See larder-node --help`);
}

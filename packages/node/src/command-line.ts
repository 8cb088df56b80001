import { isIP } from 'node:net';
import type { ViewNode } from '@larder/proto';
import { parseArgs } from 'citty';
import { type Address, isEveryInterface, parseAddress } from './config/address.js';
import { closestName } from './config/closest-name.js';
import { ExitCode, startFault } from './exit-code.js';

/** What `larder-node` is told on its command line: which node it is, and which others there are. */
export interface CommandLine {
  readonly configPath: string;
  readonly id: string;
  /** host:port */
  readonly listen: string;
  /** All nodes of the cluster, this one among them. */
  readonly nodes: readonly ViewNode[];
}

export const flags = {
  config: { type: 'string', description: 'Configuration file, YAML or JavaScript', valueHint: 'FILE' },
  id: { type: 'string', description: 'Id of this node, one of those in --nodes', valueHint: 'n1' },
  listen: { type: 'string', description: 'Address to listen on', valueHint: 'HOST:PORT' },
  nodes: {
    type: 'string',
    description: 'All nodes of the cluster with the addresses by which clients reach them. Default: only this one',
    valueHint: 'n1=HOST:PORT,n2=...',
  },
} as const;

const ID_FORM = 'a letter or digit, then up to 63 letters, digits, dots, hyphens and underscores';
const ADDRESS_FORM = 'HOST:PORT with a port from 1 to 65535, for example 127.0.0.1:7400 or [::1]:7400';
const NODES_MAX = 256;

/** Throws BAD_ARGUMENT with exit code 64 for the first fault. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  refuseUnknown(args);
  const given = parseArgs(args.map(String), flags);
  const configPath = required('config', given.config, 'the path of a .yaml, .yml, .js or .mjs file');
  const id = checkedId('--id', required('id', given.id, ID_FORM));
  const listen = required('listen', given.listen, ADDRESS_FORM);
  const address = checkedAddress('--listen', listen);
  const nodes = given.nodes === undefined ? [onlyNode(id, listen, address)] : parseNodes(String(given.nodes));
  checkPlace(id, listen, address, nodes);
  return { configPath, id, listen, nodes };
}

function refuseUnknown(args: readonly string[]): void {
  const known = Object.keys(flags);
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string;
    const name = /^--([a-z]+)(=|$)/.exec(argument)?.[1];
    if (name === undefined || !known.includes(name)) {
      const closest = closestName(argument.replace(/^-*|=.*$/g, ''), known);
      const hint = closest === undefined ? '' : `; did you mean --${closest}?`;
      throw usage(
        `unknown argument ${argument}${hint || '.'} Allowed are ${known.map((flag) => `--${flag}`).join(', ')}`,
      );
    }
    if (!argument.includes('=')) index++;
  }
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

function onlyNode(id: string, listen: string, address: Address): ViewNode {
  if (!isEveryInterface(address)) return { id, address: listen };
  throw usage(`--nodes is missing; with --listen ${listen} it must say by which address clients reach this node`);
}

function parseNodes(text: string): ViewNode[] {
  const nodes = text.split(',').map((item) => {
    const equals = item.indexOf('=');
    if (equals < 0) throw usage(`--nodes has ${JSON.stringify(item)}; allowed is ID=HOST:PORT,ID=HOST:PORT,...`);
    const id = checkedId('--nodes: the id', item.slice(0, equals).trim());
    const address = item.slice(equals + 1).trim();
    const parsed = checkedAddress(`--nodes: the address of ${id}`, address);
    if (isEveryInterface(parsed)) {
      throw usage(`--nodes: the address of ${id} is ${address}, which clients cannot connect to; give a name or an IP`);
    }
    return { id, address };
  });
  if (nodes.length > NODES_MAX) throw usage(`--nodes names ${nodes.length} nodes; allowed are 1 to ${NODES_MAX}`);
  refuseDuplicates(nodes, 'id');
  refuseDuplicates(nodes, 'address');
  return nodes;
}

function refuseDuplicates(nodes: readonly ViewNode[], field: 'id' | 'address'): void {
  const seen = new Set<string>();
  for (const node of nodes) {
    if (seen.has(node[field])) throw usage(`--nodes names the ${field} ${node[field]} twice; each node has its own`);
    seen.add(node[field]);
  }
}

function checkPlace(id: string, listen: string, address: Address, nodes: readonly ViewNode[]): void {
  const self = nodes.find((node) => node.id === id);
  if (!self)
    throw usage(`--id is ${id}, which is not in --nodes; allowed is ${nodes.map((node) => node.id).join(', ')}`);
  const advertised = parseAddress(self.address) as Address;
  if (advertised.port !== address.port || differs(advertised, address)) {
    throw usage(`--listen is ${listen}, but --nodes says that ${id} is at ${self.address}`);
  }
}

/** Two IP addresses can be compared. What a name means, or where every interface leads, only the network knows. */
function differs(advertised: Address, listen: Address): boolean {
  if (isEveryInterface(listen) || isIP(advertised.host) === 0 || isIP(listen.host) === 0) return false;
  return advertised.host !== listen.host;
}

function usage(message: string): Error {
  return startFault(ExitCode.usage, 'BAD_ARGUMENT', `${message}. See larder-node --help`);
}

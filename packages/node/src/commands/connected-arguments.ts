import { parseAddress } from '../config/address.js';
import { ExitCode, startFault } from '../exit-code.js';

/** What all commands that ask a running cluster have in common on their command line. */
export interface ConnectedArguments {
  /** host:port of a node. */
  readonly address: string;
  readonly isJson: boolean;
  /** What is no flag, in its order. After `--` everything is such a word. */
  readonly words: readonly string[];
}

export const connectedFlags = {
  connect: { type: 'string', description: 'Any node of the cluster', valueHint: 'HOST:PORT' },
  json: { type: 'boolean', description: 'One JSON object instead of text' },
} as const;

/** Throws BAD_ARGUMENT with exit code 64. `form` is what is to be given besides the flags, in words. */
export function connectedArguments(
  args: readonly string[],
  form: string,
  wordsMin: number,
  wordsMax: number,
): ConnectedArguments {
  const words: string[] = [];
  let address = '';
  let isJson = false;
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!;
    if (argument === '--') words.push(...args.slice(index + 1));
    if (argument === '--') break;
    if (argument === '--json') isJson = true;
    else if (argument === '--connect') address = args[++index] ?? '';
    else if (argument.startsWith('--connect=')) address = argument.slice('--connect='.length);
    else if (argument.startsWith('-')) throw usage(`unknown argument ${argument}. Allowed are --connect and --json`);
    else words.push(argument);
  }
  if (parseAddress(address) === undefined) {
    throw usage(`--connect is ${JSON.stringify(address)}; give HOST:PORT of a node, for example 127.0.0.1:7400`);
  }
  if (words.length < wordsMin || words.length > wordsMax) {
    const given = words.length === 0 ? 'nothing is' : words.length === 1 ? '1 word is' : `${words.length} words are`;
    throw usage(`${given} given besides the flags; allowed is ${form}`);
  }
  return { address, isJson, words };
}

export function usage(message: string): Error {
  return startFault(ExitCode.usage, 'BAD_ARGUMENT', `${message}. See larder-node --help`);
}

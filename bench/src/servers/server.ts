import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { freePorts, ServerProcess } from '@larder/test-kit';
import { onOwnCore } from '../pinning.js';

/** A server under test: a process on a free port of 127.0.0.1 that ends with this one, however this one ends. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Server {
  readonly endpoint: Endpoint;
  /** Of all its processes. */
  readonly pids: readonly number[];
  stop(): Promise<unknown>;
}

export interface StartOptions {
  /** Undefined leaves the choice to the scheduler. */
  readonly core: number | undefined;
  /** Flags for Node itself; only the Larder node heeds them. */
  readonly nodeFlags: readonly string[];
}

export interface ServerCommand {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly endpoint: Endpoint;
  readonly core: number | undefined;
  readonly isReady: (line: string) => boolean;
  /** Removed should this process die before the server is stopped. */
  readonly folder?: string;
}

export async function startServer({ name, command, endpoint, core, isReady, folder }: ServerCommand): Promise<Server> {
  const [program, ...args] = onOwnCore(core, command);
  const server = await ServerProcess.start({ name, command: program, args, isReady, folder });
  return { endpoint, pids: [server.pid], stop: () => server.stop() };
}

export function findOnPath(command: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find(isExecutable);
}

/** The port was free a moment ago; another process may still take it first, which then shows as a failed start. */
export async function freeEndpoint(): Promise<Endpoint> {
  const [port] = await freePorts(1);
  return { host: '127.0.0.1', port: port! };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { systemClock } from '@larder/base';
import { LarderError } from '@larder/proto';
import { type CommandDef, defineCommand, renderUsage } from 'citty';
import { flags, parseCommandLine } from './command-line.js';
import { connectedFlags } from './commands/connected-arguments.js';
import { deadLettersCommand } from './commands/dead-letters-command.js';
import { explainCommand } from './commands/explain-command.js';
import { installTriggersCommand, installTriggersFlags } from './commands/install-triggers-command.js';
import { statusCommand } from './commands/status-command.js';
import { readNodeConfig } from './config.js';
import { ExitCode, exitCodeOf } from './exit-code.js';
import { createLog, type Log } from './log.js';
import { startNode } from './node.js';
import type { RunningNode } from './running-node.js';
import { logGrpcTo } from './server/grpc-log.js';
import { keepYoungGenerationSmall } from './young-generation.js';

/** `larder-node`: one cache node in a process of its own. docs/running.md describes flags, config and exit codes. */

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const command = defineCommand({
  meta: {
    name: 'larder-node',
    version,
    description:
      'A cache node of a Larder cluster. With --connect HOST:PORT, larder-node status asks a running one, larder-node explain CACHE KEY says what is known of a key, and larder-node dead-letters handles rows that the database refuses. With --config FILE, larder-node postgres install-triggers has tables note what other programs write. Each has a --help of its own',
  },
  args: flags,
});

/** What a running cluster is asked; `form` is what is to be given besides the flags. */
interface Question {
  readonly description: string;
  readonly form: string;
  run(args: readonly string[], print: (text: string) => void): Promise<void>;
}

const questions: Readonly<Record<string, Question>> = {
  status: {
    description: 'The cluster as a node sees it, and what its nodes have counted',
    form: '',
    run: statusCommand,
  },
  'dead-letters': {
    description: 'Rows of write-behind that the database refuses',
    form: ' list|show|retry|discard CACHE [KEY]',
    run: deadLettersCommand,
  },
  explain: { description: 'What the owner of a key knows of it', form: ' CACHE KEY', run: explainCommand },
};

async function printUsage(
  of: CommandDef<typeof flags> | CommandDef<typeof connectedFlags> | CommandDef<typeof installTriggersFlags>,
): Promise<void> {
  const usage = await renderUsage(of as CommandDef<typeof flags>);
  console.log(process.stdout.isTTY ? usage : stripVTControlCharacters(usage));
}

async function main(args: readonly string[]): Promise<void> {
  const question = Object.hasOwn(questions, args[0] ?? '') ? questions[args[0]!] : undefined;
  if (question !== undefined) {
    await ask(args[0]!, question, args.slice(1));
    return;
  }
  if (args[0] === 'postgres' && args[1] === 'install-triggers') {
    await installTriggers(args.slice(2));
    return;
  }
  if (args.includes('--help') || args.includes('-h')) {
    await printUsage(command);
    return;
  }
  if (args.includes('--version')) {
    console.log(version);
    return;
  }
  const { configPath, ...place } = parseCommandLine(args);
  const config = await readNodeConfig(configPath, process.env);
  const log = createLog(place.id, config.logLevel);
  logGrpcTo(log);
  endOnBugs(log);
  const starting = startNode({ ...place, config, log });
  stopOnSignals(starting, config.drainTimeoutMs, log);
  reconfigureOnSignal(starting, configPath, log);
  await starting;
}

async function ask(name: string, { description, form, run }: Question, args: readonly string[]): Promise<void> {
  if (!args.includes('--help') && !args.includes('-h')) return run(args, (text) => console.log(text));
  await printUsage(
    defineCommand({ meta: { name: `larder-node ${name}${form}`, version, description }, args: connectedFlags }),
  );
}

async function installTriggers(args: readonly string[]): Promise<void> {
  if (!args.includes('--help') && !args.includes('-h')) {
    await installTriggersCommand(args, (text) => console.log(text));
    return;
  }
  const description = 'Has the tables of caches that say watch: true note what other programs change in them';
  const meta = { name: 'larder-node postgres install-triggers', version, description };
  await printUsage(defineCommand({ meta, args: installTriggersFlags }));
}

/** A bug leaves the process in an unknown state: it ends, and its supervisor starts another. */
function endOnBugs(log: Log): void {
  const end = (error: unknown): void => {
    log.fatal({ event: 'bug', err: error });
    process.exit(ExitCode.internal);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

/** SIGHUP: the file is read again. One that cannot be taken changes nothing, and the log says why. */
function reconfigureOnSignal(starting: Promise<RunningNode>, configPath: string, log: Log): void {
  const reconfigure = async (): Promise<void> => {
    try {
      const node = await starting;
      const caches = node.reconfigure(await readNodeConfig(configPath, process.env));
      log.info({ event: 'reconfigured', caches });
    } catch (error) {
      log.error({ event: 'config-refused', reason: error instanceof LarderError ? error.message : String(error) });
    }
  };
  // One after the other, so that the last edit counts.
  let last = Promise.resolve();
  process.on('SIGHUP', () => {
    last = last.then(reconfigure);
  });
}

/**
 * The first signal stops the node in order; a second one ends it at once. One that is still starting, and may wait for a
 * cluster that is away, has nothing to hand over: it ends after `drainTimeout`.
 */
function stopOnSignals(starting: Promise<RunningNode>, drainTimeoutMs: number, log: Log): void {
  let isStopping = false;
  let started: RunningNode | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const pendingWrites = started?.pendingWrites ?? 0;
    if (isStopping) {
      log.fatal({ event: 'forced', signal, pendingWrites });
      process.exit(ExitCode.forced);
    }
    isStopping = true;
    log.info({ event: 'stopping', signal, pendingWrites });
    void starting.then(stop, () => {});
    systemClock.after(drainTimeoutMs, endUnlessStarted);
  };
  const endUnlessStarted = (): void => {
    if (started !== undefined) return;
    log.info({ event: 'stopped', pendingWrites: 0, unfinished: 0 });
    process.exit(ExitCode.ok);
  };
  const stop = async (node: RunningNode): Promise<void> => {
    const { pendingWrites, unfinished } = await node.close();
    const isClean = pendingWrites === 0 && unfinished === 0;
    log[isClean ? 'info' : 'error']({ event: 'stopped', pendingWrites, unfinished });
    process.exit(isClean ? ExitCode.ok : ExitCode.forced);
  };
  const remember = (node: RunningNode): void => {
    started = node;
  };
  starting.then(remember, () => {});
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

keepYoungGenerationSmall();
main(process.argv.slice(2)).catch((error: unknown) => {
  const text = error instanceof LarderError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`larder-node: ${text}\n`);
  process.exit(exitCodeOf(error));
});

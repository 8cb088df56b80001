import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Clock } from '@larder/base';
import type { LarderError } from '@larder/proto';
import { configError, configMistake } from '../../config-check.js';
import type { Origin } from '../origin.js';
import { CheckedOrigin } from './checked-origin.js';
import type { ModuleOriginOptions } from './module-origin-options.js';

/** What the function that a module exports is called with. */
export interface ModuleOriginContext {
  /** The cache's name. */
  readonly cache: string;
  /** The `options` of the configuration. */
  readonly options: unknown;
  /** Whether the cache writes; if not, `writeMany` and `deleteMany` may be missing. */
  readonly isWritten: boolean;
}

export interface ModuleOriginSetting {
  readonly cache: string;
  readonly isWritten: boolean;
  /** That of the configuration file. */
  readonly folder: string;
  readonly clock: Clock;
  /** Where the options stand in the configuration. */
  readonly path: string;
}

/**
 * A user's own origin, imported from the module that the configuration names, and checked: that it has its methods now,
 * and what each call answers. Throws CONFIG. An error that the module's function throws is ORIGIN_UNAVAILABLE if it is a
 * LarderError that says so, and CONFIG otherwise.
 */
export async function moduleOrigin(options: ModuleOriginOptions, setting: ModuleOriginSetting): Promise<Origin> {
  const { path, isWritten } = setting;
  const name = options.export ?? 'default';
  const exported = (await importModule(options.path, setting))[name];
  if (exported === undefined) {
    throw mistake(`${path}.export`, name, `something that the module ${options.path} exports`);
  }
  const made = typeof exported === 'function' ? await make(exported as MakeOrigin, options, setting) : exported;
  const fault = shapeFault(made, isWritten);
  if (fault !== undefined)
    throw mistake(`${path}.path`, options.path, `a module whose '${name}' is an origin; ${fault}`);
  return new CheckedOrigin(made as Partial<Origin> & Pick<Origin, 'loadMany' | 'callMsMax'>, setting.clock);
}

type MakeOrigin = (context: ModuleOriginContext) => unknown;

async function importModule(path: string, setting: ModuleOriginSetting): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(moduleUrl(path, setting.folder))) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw mistake(`${setting.path}.path`, path, `a JavaScript module that can be imported; ${reasonOf(error)}`, error);
  }
}

/** Only what begins like a path is one; everything else is looked up as a package, from the configuration's folder on. */
function moduleUrl(path: string, folder: string): string {
  const isPath = /^\.{0,2}[/\\]|^[A-Za-z]:[/\\]/.test(path);
  const file = isPath ? resolve(folder, path) : createRequire(join(resolve(folder), 'larder.yaml')).resolve(path);
  return pathToFileURL(file).href;
}

async function make(
  makeOrigin: MakeOrigin,
  { path, options }: ModuleOriginOptions,
  setting: ModuleOriginSetting,
): Promise<unknown> {
  const { cache, isWritten } = setting;
  try {
    return await makeOrigin({ cache, options, isWritten });
  } catch (error) {
    if ((error as Partial<LarderError> | undefined)?.code === 'ORIGIN_UNAVAILABLE') throw error;
    throw mistake(
      `${setting.path}.path`,
      path,
      `a module whose function makes an origin; it threw: ${reasonOf(error)}`,
      error,
    );
  }
}

/** Longer waits would leave callers and statement slots hanging. */
const CALL_MS_MAX = 3_600_000;

function shapeFault(made: unknown, isWritten: boolean): string | undefined {
  if (typeof made !== 'object' || made === null) return `it is ${made === null ? 'null' : `a ${typeof made}`}`;
  const origin = made as Readonly<Record<string, unknown>>;
  const { callMsMax } = origin;
  const missing = [...REQUIRED, ...(isWritten ? WRITING : [])].find((method) => typeof origin[method] !== 'function');
  if (missing !== undefined) return `its ${missing} is not a function`;
  const wrong = [...WRITING, ...OPTIONAL].find(
    (method) => origin[method] !== undefined && typeof origin[method] !== 'function',
  );
  if (wrong !== undefined) return `its ${wrong} is not a function`;
  if (typeof callMsMax !== 'number' || !(callMsMax > 0 && callMsMax <= CALL_MS_MAX)) {
    return `its callMsMax is ${String(callMsMax)}, not a number of milliseconds from 1 to ${CALL_MS_MAX}`;
  }
  const fence = origin.fence as { readonly raise?: unknown } | undefined;
  return fence === undefined || typeof fence.raise === 'function' ? undefined : 'its fence has no function raise';
}

const REQUIRED = ['loadMany'];
const WRITING = ['writeMany', 'deleteMany'];
const OPTIONAL = ['check', 'close'];

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' ');
}

function mistake(path: string, given: unknown, allowed: string, cause?: unknown): LarderError {
  return configError([configMistake(path, given, allowed)], cause);
}

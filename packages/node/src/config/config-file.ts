import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseDocument } from 'yaml';
import { ExitCode, startFault } from '../exit-code.js';
import { type Environment, substituteEnvironment } from './environment.js';
import { configError, pathText } from './problems.js';

/** What the file says, not yet checked against anything. */
export async function readConfigFile(path: string, environment: Environment): Promise<unknown> {
  switch (extname(path)) {
    case '.yaml':
    case '.yml':
      return readYaml(path, environment);
    case '.js':
    case '.mjs':
      return readModule(path);
    default:
      throw configError(path, ['the name of the file must end in .yaml, .yml, .js or .mjs']);
  }
}

async function readYaml(path: string, environment: Environment): Promise<unknown> {
  const document = parseDocument(await readText(path));
  if (document.errors.length > 0) {
    throw configError(
      path,
      document.errors.map((error) => `not valid YAML: ${error.message.split('\n', 1)[0]?.replace(/:$/, '')}`),
    );
  }
  const unset = substituteEnvironment(document, environment);
  if (unset.length > 0) {
    throw configError(
      path,
      unset.map(
        ({ path: at, variable }) =>
          `${pathText(at)}: environment variable ${variable} is not set; set it, or write \${${variable}:-default}`,
      ),
    );
  }
  try {
    // Bounds what a document of aliases to aliases ("billion laughs") may grow to.
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw configError(path, [`not valid YAML: ${(cause as Error).message}`]);
  }
}

async function readModule(path: string): Promise<unknown> {
  await readText(path);
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as typeof module;
  } catch (cause) {
    throw configError(path, [`cannot be run: ${cause instanceof Error ? cause.message : String(cause)}`], cause);
  }
  if (module.default === undefined) throw configError(path, ['has no default export; write `export default { ... }`']);
  return module.default;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
    throw startFault(ExitCode.noConfigFile, 'CONFIG', `config file ${path}: ${reason}`, cause);
  }
}

/**
 * Dead files: code that nothing reaches. Entry points are what a package.json names, configuration files, declarations and tests; a
 * file reaches those that it names in a string, be it an import or the path of a process to start. A test reaches
 * everything but the file that it is the test of, or code that only its own test uses would look alive.
 */
import { posix } from 'node:path';
import { isCode, isTest, withoutComment } from './source-file.mjs';

/** @typedef {import('./source-file.mjs').SourceFile} SourceFile */

/** @param {readonly SourceFile[]} files */
export function deadFileComplaints(files) {
  const code = new Map(files.filter(isCode).map((file) => [file.path, file]));
  const reached = new Set(entryPoints(files, code));
  for (const path of reached) {
    const file = code.get(path);
    for (const named of file === undefined ? [] : namedFiles(file, code)) reached.add(named);
  }
  return [...code.keys()]
    .filter((path) => !reached.has(path))
    .map((path) => ({ path, line: 1, message: 'nothing uses this file' }));
}

/** @param {readonly SourceFile[]} files @param {ReadonlyMap<string, SourceFile>} code */
function entryPoints(files, code) {
  const manifests = files.filter((file) => posix.basename(file.path) === 'package.json');
  const configurations = [...code.values()].filter((file) => /\.(config|d)\.(ts|mjs)$/.test(file.path) || isTest(file));
  return [...manifests.flatMap((file) => namedFiles(file, code)), ...configurations.map((file) => file.path)];
}

/** @param {SourceFile} file @param {ReadonlyMap<string, SourceFile>} code */
function namedFiles(file, code) {
  const subject = isTest(file) ? file.path.replace(/\.test\.ts$/, '') : undefined;
  return file.lines
    .flatMap((line) => [...withoutComment(line).matchAll(/[\w@./-]+\.(?:js|mjs|ts)\b/g)].map((match) => match[0]))
    .flatMap((name) => [posix.join(posix.dirname(file.path), name), name.replace(/^\//, '')])
    .flatMap((path) => [path, path.replace(/(^|\/)dist\//, '$1src/')])
    .flatMap((path) => [path, path.replace(/\.js$/, '.ts')])
    .filter((path) => code.has(path) && (subject === undefined || path.replace(/\.(ts|mjs)$/, '') !== subject));
}

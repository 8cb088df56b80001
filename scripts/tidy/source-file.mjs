import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/**
 * @typedef {object} SourceFile
 * @property {string} path relative to the checkout, with slashes
 * @property {readonly string[]} lines
 */

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage']);
const READ_NAMES = /\.(ts|mjs|md|proto|json|yaml|yml)$/;

/** @param {string} root @returns {SourceFile[]} every file that people write, in the order of their paths */
export function readFiles(root, folder = '') {
  /** @type {SourceFile[]} */
  const files = [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = posix.join(folder, entry.name);
    if (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name)) continue;
    if (entry.isDirectory()) files.push(...readFiles(root, path));
    else if (READ_NAMES.test(entry.name)) files.push(sourceFile(path, readFileSync(join(root, path), 'utf8')));
  }
  return files;
}

/** @param {string} path @param {string} text @returns {SourceFile} */
export function sourceFile(path, text) {
  return { path, lines: text.split('\n') };
}

/** @param {SourceFile} file */
export function isCode(file) {
  return /\.(ts|mjs)$/.test(file.path);
}

/** @param {SourceFile} file */
export function isTest(file) {
  return /\.test\.ts$/.test(file.path) || /^test\/(?!kit\/)/.test(file.path);
}

/**
 * The line without its comment. Knows no grammar: a comment is a line that begins as one, or what follows ` // `.
 * @param {string} line
 */
export function withoutComment(line) {
  return /^\s*(\/\/|\/?\*)/.test(line) ? '' : line.replace(/\s\/\/\s.*$/, '');
}

/**
 * Module names in `import`, `export ... from` and `import()`, with their line numbers.
 * @param {SourceFile} file
 * @returns {{ name: string, line: number }[]}
 */
export function importsOf(file) {
  return file.lines.flatMap((text, index) =>
    [...withoutComment(text).matchAll(/(?:\bfrom|\bimport\s*\(?)\s*'([^']+)'/g)].map((match) => ({
      name: /** @type {string} */ (match[1]),
      line: index + 1,
    })),
  );
}

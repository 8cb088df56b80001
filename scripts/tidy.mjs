/**
 * The house rules that no linter knows: who may import whom, where third-party packages and real clocks may appear, dead
 * files, file length, left-over markers, documented error codes and settings. Each rule is a function from all files to complaints,
 * so that its test can hand it files that do not exist. Function length is biome's (biome.json).
 */
import { fileURLToPath } from 'node:url';
import { clockComplaints, lengthComplaints, markerComplaints } from './tidy/content-rules.mjs';
import { deadFileComplaints } from './tidy/dead-files.mjs';
import { errorDocumentationComplaints } from './tidy/error-documentation.mjs';
import { importComplaints } from './tidy/import-rules.mjs';
import { settingDocumentationComplaints } from './tidy/setting-documentation.mjs';
import { readFiles } from './tidy/source-file.mjs';

/** @typedef {import('./tidy/source-file.mjs').SourceFile} SourceFile */
/** @typedef {{ path: string, line: number, message: string }} Complaint */

/** @type {readonly ((files: readonly SourceFile[]) => Complaint[])[]} */
const RULES = [
  importComplaints,
  clockComplaints,
  deadFileComplaints,
  lengthComplaints,
  markerComplaints,
  errorDocumentationComplaints,
  settingDocumentationComplaints,
];

/** @param {readonly SourceFile[]} files @returns {string[]} one line a complaint, by path */
export function tidy(files) {
  const complaints = RULES.flatMap((rule) => rule(files));
  complaints.sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1));
  return complaints.map(({ path, line, message }) => `${path}:${line}: ${message}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = tidy(readFiles(fileURLToPath(new URL('..', import.meta.url))));
  for (const complaint of found) console.log(complaint);
  process.exitCode = found.length === 0 ? 0 : 1;
}

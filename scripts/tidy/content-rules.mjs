import { isCode, isTest, withoutComment } from './source-file.mjs';

/** @typedef {import('./source-file.mjs').SourceFile} SourceFile */

/** A file that outgrows this has two subjects. Most have about 120 lines. */
const SOURCE_LINES_MAX = 450;

const CLOCKS =
  /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|process\.hrtime|setTimeout|setInterval)\b|node:timers/;
const CLOCKLESS_FOLDERS = /^(proto|packages\/(?!base\/)[^/]+)\//;

/** Everything but packages/base is handed a Clock and a Random, so that tests and the simulator can replace them. @param {readonly SourceFile[]} files */
export function clockComplaints(files) {
  return matches(
    files.filter((file) => isCode(file) && CLOCKLESS_FOLDERS.test(file.path)),
    (line) => CLOCKS.exec(withoutComment(line))?.[0],
    (found) => `${found} is for packages/base only: take a Clock or a Random`,
  );
}

/** @param {readonly SourceFile[]} files */
export function markerComplaints(files) {
  return matches(
    files,
    (line) => /\b(TO)DO\b|\b(FIX)ME\b|\bX{3}\b/.exec(line)?.[0],
    (found) => `${found}: finish it, or write down what is so`,
  );
}

/** @param {readonly SourceFile[]} files */
export function lengthComplaints(files) {
  return files
    .filter((file) => isCode(file) && !isTest(file) && file.lines.length > SOURCE_LINES_MAX)
    .map((file) => ({
      path: file.path,
      line: file.lines.length,
      message: `${file.lines.length} lines, more than ${SOURCE_LINES_MAX}: split it by subject`,
    }));
}

/**
 * @param {readonly SourceFile[]} files
 * @param {(line: string) => string | undefined} find
 * @param {(found: string) => string} message
 */
function matches(files, find, message) {
  return files.flatMap((file) =>
    file.lines.flatMap((text, index) => {
      const found = find(text);
      return found === undefined ? [] : [{ path: file.path, line: index + 1, message: message(found) }];
    }),
  );
}

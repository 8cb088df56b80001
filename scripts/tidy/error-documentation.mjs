/** @typedef {import('./source-file.mjs').SourceFile} SourceFile */

const CODES_PATH = 'proto/src/errors.ts';
const CONTRACT_PATH = 'proto/larder/v1/cache.proto';
const DOCUMENTATION_PATH = 'docs/errors.md';

/**
 * Every error code has its number in the contract and its heading in the documentation, and no heading outlives its code.
 * @param {readonly SourceFile[]} files
 */
export function errorDocumentationComplaints(files) {
  const codes = found(files, CODES_PATH, /^ {2}([A-Z_]+): \{ number: (\d+)/);
  const numbers = found(files, CONTRACT_PATH, /^ {2}ERROR_CODE_([A-Z_]+) = ([1-9]\d*);/);
  const headings = found(files, DOCUMENTATION_PATH, /^#+ `?([A-Z_]{4,})`?$/);
  const complaints = [];
  for (const [code, { line, rest }] of codes) {
    const at = { path: CODES_PATH, line };
    if (!headings.has(code)) complaints.push({ ...at, message: `${code} has no heading in ${DOCUMENTATION_PATH}` });
    if (numbers.get(code)?.rest !== rest)
      complaints.push({ ...at, message: `${code} is not ERROR_CODE_${code} = ${rest} in ${CONTRACT_PATH}` });
  }
  for (const [code, { line }] of headings)
    if (!codes.has(code))
      complaints.push({ path: DOCUMENTATION_PATH, line, message: `there is no error code ${code}` });
  return complaints;
}

/** @param {readonly SourceFile[]} files @param {string} path @param {RegExp} pattern */
function found(files, path, pattern) {
  /** @type {Map<string, { line: number, rest: string | undefined }>} */
  const result = new Map();
  files
    .find((file) => file.path === path)
    ?.lines.forEach((text, index) => {
      const match = pattern.exec(text);
      if (match?.[1] !== undefined) result.set(match[1], { line: index + 1, rest: match[2] });
    });
  return result;
}

/**
 * `npm test`: the checks, then every test, and as its last line `N passed, N failed`. A failed check counts as one
 * failure, and so does a test file that could not even be loaded: 0 failed means that everything is well.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecks } from './checks.mjs';
import { runTool } from './set-up.mjs';

/**
 * @param {string} root
 * @param {readonly string[]} args for vitest; if there are any, the checks are left out
 * @returns {Promise<number>} exit code
 */
export async function testRun(root, args) {
  const failedChecks = args.length === 0 ? await runChecks(root) : 0;
  const tests = await runTests(root, args);
  const failed = failedChecks + tests.failed;
  console.log(`${tests.passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** @param {string} root @param {readonly string[]} args */
async function runTests(root, args) {
  const folder = mkdtempSync(join(tmpdir(), 'larder-test-'));
  const reportPath = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  try {
    const { code } = await runTool(root, 'vitest/vitest.mjs', ['run', ...reporters, ...args]);
    return countTests(code, readReport(reportPath));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {number} code vitest's exit code; a failure that it did not count (an error outside any test) is still one
 * @param {{ numPassedTests: number, numFailedTests: number, testResults: { status: string, assertionResults: unknown[] }[] }} report
 */
export function countTests(code, report) {
  const unloadable = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + unloadable.length;
  return { passed: report.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
}

/** @param {string} path @returns {Parameters<typeof countTests>[1]} */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  }
}

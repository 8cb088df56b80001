import { expect, test } from 'vitest';
import { countTests } from './test-run.mjs';

test('passed and failed tests are those of the report', () => {
  expect(countTests(1, { numPassedTests: 7, numFailedTests: 2, testResults: [] })).toEqual({ passed: 7, failed: 2 });
});

test('a test file that cannot be loaded counts as one failure', () => {
  const testResults = [{ status: 'failed', assertionResults: [] }];
  expect(countTests(1, { numPassedTests: 7, numFailedTests: 0, testResults })).toEqual({ passed: 7, failed: 1 });
});

test('a run that ended badly without a failed test counts as one failure', () => {
  expect(countTests(1, { numPassedTests: 7, numFailedTests: 0, testResults: [] })).toEqual({ passed: 7, failed: 1 });
});

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MIB = 2 ** 20;
const BOUND = 128 * MIB;
const SCRIPT = fileURLToPath(new URL('./fixtures/fill-process.mjs', import.meta.url));

test('the resident memory of a process stays within 15 % and 80 MiB of the bound while sizes shift', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, String(BOUND)]);
  const { residentBytesMax, liveShare, refused } = JSON.parse(stdout) as Record<string, number>;
  expect(refused).toBe(0);
  expect(liveShare).toBeGreaterThan(0.92);
  expect(residentBytesMax).toBeGreaterThan(0.92 * BOUND);
  expect(residentBytesMax).toBeLessThan(1.15 * BOUND + 80 * MIB);
}, 120_000);

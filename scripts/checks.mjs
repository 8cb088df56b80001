import { runProcess } from './run-process.mjs';
import { runTool } from './set-up.mjs';

/**
 * The checks that are not tests, side by side: format and lint, the rules of tidy.mjs, the types of tests and scripts
 * (the build has checked all other types), the contract. Prints what each has to say.
 * @param {string} root
 * @returns {Promise<number>} how many failed
 */
export async function runChecks(root) {
  const capture = /** @type {const} */ ({ stdio: 'capture' });
  const checks = {
    lint: runTool(root, '@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.'], capture),
    tidy: runProcess(process.execPath, [`${root}/scripts/tidy.mjs`], { cwd: root, ...capture }),
    types: runTool(root, 'typescript/bin/tsc', ['-p', 'tsconfig.test.json'], capture),
    contract: runTool(root, '@bufbuild/buf/bin/buf', ['lint', 'proto'], capture),
  };
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    const { code, output } = await check;
    if (code !== 0) failed++;
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'}  ${name}`);
    if (code !== 0) console.log(output.trimEnd());
  }
  return failed;
}

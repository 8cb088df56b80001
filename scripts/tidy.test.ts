import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readFiles, sourceFile } from './tidy/source-file.mjs';
import { tidy } from './tidy.mjs';

/** A package whose entry point reaches `subject.ts`, so that only what the test is about can be complained of. */
function complaintsAbout(folder: string, text: string, ...others: [path: string, text: string][]): string[] {
  const manifest = sourceFile(`${folder}/package.json`, '{ "exports": "./dist/subject.js" }');
  const files = [manifest, sourceFile(`${folder}/src/subject.ts`, text)];
  return tidy([...files, ...others.map(([path, body]) => sourceFile(path, body))]);
}

test('a package may import the packages below it and none above', () => {
  expect(complaintsAbout('packages/client', "import { xxh32 } from '@larder/proto';")).toEqual([]);
  expect(complaintsAbout('packages/client', "\nimport type { Loader } from '@larder/loader';")).toEqual([
    'packages/client/src/subject.ts:2: packages/client/ may import @larder/base, @larder/proto, not @larder/loader',
  ]);
  expect(complaintsAbout('packages/base', "export * from '@larder/proto';")).toEqual([
    'packages/base/src/subject.ts:1: packages/base/ may import no workspace package, not @larder/proto',
  ]);
  expect(complaintsAbout('bench', "import { connect } from '@larder/client';")).toEqual([]);
});

test('an import by path may not leave its package', () => {
  expect(complaintsAbout('packages/client', "import('../../node/src/main.js');")).toEqual([
    "packages/client/src/subject.ts:1: '../../node/src/main.js' leaves packages/client/: import the package by its name",
  ]);
});

test('a confined third-party package is refused outside of its places', () => {
  expect(complaintsAbout('packages/loader', "import pg from 'pg';")).toEqual([
    'packages/loader/src/subject.ts:1: pg may be imported only in packages/loader/src/origins/postgres/, test/kit/',
  ]);
  const table: [string, string] = ['packages/loader/src/origins/postgres/table.ts', "import pg from 'pg';"];
  expect(complaintsAbout('packages/loader', "import './origins/postgres/table.js';", table)).toEqual([]);
});

test('a real clock, timer or chance is refused everywhere but in base, comments apart', () => {
  for (const real of ['Date.now()', 'Math.random()', 'performance.now()', 'setTimeout(f, 1)', 'setInterval(f, 1)'])
    expect(complaintsAbout('packages/node', `const x = ${real};`)).toHaveLength(1);
  expect(complaintsAbout('packages/base', 'const x = Date.now();')).toEqual([]);
  expect(complaintsAbout('packages/node', '// Date.now() is not for here')).toEqual([]);
  expect(complaintsAbout('packages/node', '/** Not Math.random(). */\nrun(); // nor setTimeout()')).toEqual([]);
});

test('a file that only its own test uses is dead, and so is what only it uses', () => {
  const found = complaintsAbout(
    'packages/node',
    "import './used.js';",
    ['packages/node/src/used.ts', ''],
    ['packages/node/src/unused.ts', "import './below-unused.js';"],
    ['packages/node/src/unused.test.ts', "import './unused.js';"],
    ['packages/node/src/below-unused.ts', ''],
  );
  expect(found).toEqual([
    'packages/node/src/below-unused.ts:1: nothing uses this file',
    'packages/node/src/unused.ts:1: nothing uses this file',
  ]);
});

test('a process that is started by the path of its build is not dead', () => {
  expect(
    complaintsAbout('test/kit', "spawn('packages/node/dist/main.js');", ['packages/node/src/main.ts', '']),
  ).toEqual([]);
});

test('a source file above 450 lines is refused, a test may be longer', () => {
  const long = 'run();\n'.repeat(450);
  expect(complaintsAbout('packages/node', long)).toEqual([
    'packages/node/src/subject.ts:451: 451 lines, more than 450: split it by subject',
  ]);
  expect(complaintsAbout('packages/node', '', ['packages/node/src/subject.test.ts', long])).toEqual([]);
});

test('a left-over marker is refused', () => {
  expect(complaintsAbout('packages/node', `// ${'TO'}${'DO'} later`)).toHaveLength(1);
});

test('error codes, their numbers in the contract and their headings belong together', () => {
  const codes = '  BUSY: { number: 6, retryable: true },\n  CODEC: { number: 16, retryable: false },';
  const found = tidy([
    sourceFile('package.json', '{ "exports": "./proto/dist/errors.js" }'),
    sourceFile('proto/src/errors.ts', codes),
    sourceFile('proto/larder/v1/cache.proto', '  ERROR_CODE_BUSY = 7;\n  ERROR_CODE_CODEC = 16;'),
    sourceFile('docs/errors.md', '## BUSY\n\n## GONE\n'),
  ]);
  expect(found).toEqual([
    'docs/errors.md:3: there is no error code GONE',
    'proto/src/errors.ts:1: BUSY is not ERROR_CODE_BUSY = 6 in proto/larder/v1/cache.proto',
    'proto/src/errors.ts:2: CODEC has no heading in docs/errors.md',
  ]);
});

test('a setting that the documentation does not name is refused', () => {
  const policy = 'export interface LoadPolicy {\n  readonly maxBatch?: number;\n  readonly maxWaiting?: number;\n}\n';
  const found = tidy([
    sourceFile('package.json', '{ "exports": "./packages/loader/dist/policy.js" }'),
    sourceFile('packages/loader/src/policy.ts', `${policy}interface Other {\n  readonly hidden: number;\n}`),
    sourceFile('docs/running.md', '| `maxBatch` | 1,000 |'),
  ]);
  expect(found).toEqual(['packages/loader/src/policy.ts:3: maxWaiting is not in docs/running.md']);
});

test('the files of this checkout are read without what was installed or built', () => {
  const paths = readFiles(fileURLToPath(new URL('..', import.meta.url))).map((file) => file.path);
  expect(paths).toContain('proto/src/errors.ts');
  expect(paths.filter((path) => /(^|\/)(node_modules|dist|\.git)\//.test(path))).toEqual([]);
});

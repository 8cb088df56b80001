import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string, part = '.'): string =>
  fileURLToPath(new URL(`./${path}/src/${part}/index.ts`, import.meta.url));

/** Tests run the sources, not what was built of them; processes that tests start run the build. */
const alias = {
  '@larder/base': source('packages/base'),
  '@larder/proto': source('proto'),
  '@larder/loader/contract': source('packages/loader', 'contract'),
  '@larder/loader': source('packages/loader'),
  '@larder/client': source('packages/client'),
  '@larder/node/internal': fileURLToPath(new URL('./packages/node/src/internal.ts', import.meta.url)),
  '@larder/node': source('packages/node'),
  '@larder/test-kit': source('test/kit'),
};

const project = (name: string, include: string[], testTimeout: number) => ({
  resolve: { alias },
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout,
    hookTimeout: 60_000,
    environment: 'node' as const,
  },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('unit', ['{proto,packages/*,test/kit,scripts,bench,examples/*}/**/*.test.ts'], 20_000),
      project('contract', ['test/contract/**/*.test.ts'], 30_000),
      project('simulation', ['test/simulation/**/*.test.ts'], 60_000),
      project('integration', ['test/integration/**/*.test.ts'], 60_000),
      project('chaos', ['test/chaos/**/*.test.ts'], 120_000),
    ],
  },
});

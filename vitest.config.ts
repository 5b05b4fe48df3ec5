import { defineConfig } from 'vitest/config';

export default defineConfig({
  // `import … from 'tollgate'` leads to the sources, as in every process of the clone.
  ssr: { resolve: { conditions: ['tollgate-source'] } },
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: ['test/real/**', 'node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Each file of test/workflows brings its own Temporal server and worker: more at once starve each other on two cores.
    maxWorkers: 2,
    globalSetup: ['test/support/temporal-cli.ts'],
  },
});

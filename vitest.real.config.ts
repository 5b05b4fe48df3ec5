import { defineConfig } from 'vitest/config';

/** Tests with parts that a user may not have; they skip with a plain message where one is missing. */
export default defineConfig({
  ssr: { resolve: { conditions: ['tollgate-source'] } },
  test: { include: ['test/real/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000, globalSetup: ['test/support/temporal-cli.ts'] },
});

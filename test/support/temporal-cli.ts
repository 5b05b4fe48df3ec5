import { resolveTemporalCli } from '../../client/dev/temporal-cli.ts';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    temporalCli: string;
  }
}

/** Finds the Temporal dev server once for all test files. */
export default async function setup(project: TestProject): Promise<void> {
  const { path } = await resolveTemporalCli({ configuredPath: process.env.TEMPORAL_CLI_PATH, onProgress: (line) => process.stdout.write(`${line}\n`) });
  project.provide('temporalCli', path);
}

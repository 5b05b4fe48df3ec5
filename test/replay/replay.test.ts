import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.bin'));

/** Stored histories of real runs: the code of today must take the same way through them. See CONTRIBUTING.md. */
describe('stored histories', () => {
  test('there are some', () => expect(files.length).toBeGreaterThanOrEqual(5));

  test.each(files)('%s replays', async (name) => {
    const history = temporal.api.history.v1.History.decode(readFileSync(`${FOLDER}${name}`));
    await Worker.runReplayHistory(
      {
        workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
        dataConverter: { payloadConverterPath: fileURLToPath(new URL('../../workflows/payload-converter.ts', import.meta.url)) },
      },
      history,
      name.replace('.bin', ''),
    );
  });
});

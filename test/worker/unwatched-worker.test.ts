import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { fileURLToPath } from 'node:url';
import { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { afterEach, expect, test, vi } from 'vitest';
import { UnwatchedWorker } from '../../worker/unwatched-worker.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const history = temporal.api.history.v1.History.decode(readFileSync(path('../replay/histories/mixed.bin')));
const options = {
  workflowsPath: path('../../workflows/index.ts'),
  dataConverter: { payloadConverterPath: path('../../workflows/payload-converter.ts') },
};

afterEach(() => vi.restoreAllMocks());

/** The time limits of all calls into the sandbox while a history is replayed. */
async function limits(worker: typeof Worker): Promise<readonly unknown[]> {
  const call = vi.spyOn(vm.Script.prototype, 'runInContext');
  await worker.runReplayHistory(options, history, 'mixed');
  const given = call.mock.calls.map(([, options]) => options as { readonly timeout?: unknown; readonly displayErrors?: unknown } | undefined);
  // Loading the bundle has no options.
  return given.flatMap((options) => (options?.displayErrors ? [options.timeout] : []));
}

test('workflow code is called without a time limit, which is a thread for each call', async () => {
  const unlimited = await limits(UnwatchedWorker);
  expect(unlimited.length).toBeGreaterThan(20);
  expect(unlimited.filter((timeout) => timeout !== undefined)).toEqual([]);
});

test("the SDK's own worker limits each call", async () => {
  const limited = await limits(Worker);
  expect(limited.length).toBeGreaterThan(20);
  expect(limited.every((timeout) => typeof timeout === 'number')).toBe(true);
});

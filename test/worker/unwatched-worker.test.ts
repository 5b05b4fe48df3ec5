import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { temporal } from '@temporalio/proto';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { expect, test, vi } from 'vitest';
import { PayloadCodec } from '../../adapters/keys/payload-codec.ts';
import { UnwatchedWorker } from '../../worker/unwatched-worker.ts';
import { dataConverter, workflowBundle } from '../../worker/workflow-bundle.ts';

const HISTORY = fileURLToPath(new URL('../replay/histories/mixed.bin', import.meta.url));

test("our workflows are called without a time limit, which is a thread for each call; a project's with the SDK's", async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  try {
    const codec = new PayloadCodec(() => Promise.reject(new Error('nothing is sealed here')), { seals: () => false });
    const options = { workflowBundle: { codePath: await workflowBundle(folder) }, dataConverter: dataConverter(codec) };
    const unlimited = await limitsOfCalls(() => UnwatchedWorker.runReplayHistory(options, history(), 'mixed'));
    expect(unlimited.length).toBeGreaterThan(20);
    expect(unlimited.filter((timeout) => timeout !== undefined)).toEqual([]);

    const limited = await limitsOfCalls(() => Worker.runReplayHistory(options, history(), 'mixed'));
    expect(limited.length).toBeGreaterThan(20);
    expect(limited.every((timeout) => typeof timeout === 'number')).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 180_000);

function history() {
  return temporal.api.history.v1.History.decode(readFileSync(HISTORY));
}

/** The time limits of all calls into the sandbox that `body` makes. */
async function limitsOfCalls(body: () => Promise<void>): Promise<readonly unknown[]> {
  const call = vi.spyOn(vm.Script.prototype, 'runInContext');
  try {
    await body();
    const given = call.mock.calls.map(([, options]) => options as { readonly timeout?: unknown; readonly displayErrors?: unknown } | undefined);
    // Loading the bundle has no options.
    return given.flatMap((options) => (options?.displayErrors ? [options.timeout] : []));
  } finally {
    call.mockRestore();
  }
}

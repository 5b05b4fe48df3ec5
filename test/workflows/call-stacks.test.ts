import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const HANGS = { text: 'late', faults: [{ type: 'slow' as const, delayMs: 60_000 }] };
const stages = { plain: new Stage(), watched: new Stage({ TOLLGATE_CALL_STACKS: '1' }) };
const REFUSED = { text: 'never', faults: [{ type: 'auth' as const }] };
const scenarios = [
  { id: 'hang', match: { system: 'HANG' }, turns: [HANGS] },
  { id: 'refuse', match: { system: 'REFUSE' }, turns: [REFUSED] },
];
beforeAll(() => Promise.all(Object.values(stages).map((stage) => stage.open({ scenarios }))));
afterAll(() => Promise.all(Object.values(stages).map((stage) => stage.close())));

/** What the page Call Stack of the Temporal Web UI shows of a run that waits for its model. */
async function callStack(stage: Stage): Promise<string> {
  const handle = await stage.start({ prompt: 'HANG' }, { id: 'hanging' });
  await waitFor('the call of the model', async () => (await stage.store.listAttempts((await stage.run('hanging')).runKey))[0]);
  return await handle.query<string>('__stack_trace');
}

test('a worker keeps no call stacks: no work is done for them at any promise of a run', async () => {
  // A later SDK that looks in another way makes them again: the work that we save is then done, and this fails.
  expect(await callStack(stages.plain)).toBe('');
});

test('with TOLLGATE_CALL_STACKS=1 the call stack of a run names the place in the sources', async () => {
  expect(await callStack(stages.watched)).toMatch(/attempt .*workflows\/model\/call-model\.ts:\d+/);
});

test('a run that fails has its stack either way', async () => {
  for (const stage of Object.values(stages)) {
    const handle = await stage.start({ prompt: 'REFUSE', models: [{ model: 'gpt-5-mini' }] }, { id: 'failing' });
    const error = await handle.result().then(
      () => null,
      (failure: { cause?: { stack?: string } }) => failure,
    );
    expect(error?.cause?.stack).toMatch(/workflows\/agent-run\/life\.ts:\d+/);
  }
});

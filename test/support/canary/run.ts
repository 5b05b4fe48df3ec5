import type { WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import { waitFor } from '../wait-for.ts';
import type { CanaryStage } from './stage.ts';
import { canaryText, canaryOf } from './values.ts';

/** Takes a run through every place where a value may enter, and looks at it through every door on the way. */
export async function playCanaryRun(stage: CanaryStage, id: string): Promise<WorkflowHandle> {
  const input = JSON.stringify({ message: canaryText('input'), customer: { email: canaryOf('input', 'email') } });
  expect(await stage.cli(['run', 'canary', '--input', '-', '--id', id, '--tenant', 'acme', '--json'], input)).toMatchObject({ code: 0 });
  const handle = stage.client.workflow.getHandle(id);
  const first = await stage.openGate(handle);
  await stage.cli(['runs', 'message', id, canaryText('message')]);
  await stage.http('/v1/approvals');
  await stage.http(`/v1/approvals/${first.approvalId}`);
  expect(await stage.cli(['deny', first.approvalId, '--reason', `Not so: ${canaryText('reason')}`])).toMatchObject({ code: 0 });
  const second = await nextGate(stage, handle, first);
  expect(await stage.cli(['approve', second.approvalId, '--digest', second.actionDigest, '--comment', canaryText('reason')])).toMatchObject({ code: 0 });
  await handle.result();
  await Promise.all(
    [
      ['runs', 'show', id, '--json'],
      ['runs', 'list'],
      ['runs', 'watch', id],
    ].map((args) => stage.cli(args)),
  );
  await stage.http(`/v1/runs/${id}`);
  await stage.http('/v1/runs');
  return handle;
}

async function nextGate(stage: CanaryStage, handle: WorkflowHandle, { approvalId }: GateRecord): Promise<GateRecord> {
  return await waitFor('the second gate', async () => {
    const gate = await stage.openGate(handle);
    return gate.approvalId === approvalId ? null : gate;
  });
}

/** What is given to the doors and can't be done: their errors repeat what was sent. */
export async function askForTrouble(stage: CanaryStage): Promise<void> {
  const text = canaryText('input');
  await Promise.all([
    stage.cli(['run', 'canary', '--input', '-'], JSON.stringify([text])),
    stage.cli(['run', canaryOf('input', 'email'), '--input', '-'], '{"message":"x"}'),
    stage.cli(['runs', 'show', canaryOf('input', 'email')]),
    stage.cli(['run', 'canary', '--input', '-', '--budget-usd', canaryOf('input', 'githubToken')], '{"message":"x"}'),
  ]);
  const headers = { 'content-type': 'application/json' };
  const post = (body: unknown) => stage.http('/v1/runs', { method: 'POST', headers, body: JSON.stringify(body) });
  await post({ task: canaryOf('input', 'email'), input: { message: text } });
  await post({ task: 'canary', input: text });
  await stage.http(`/v1/runs/${encodeURIComponent(canaryOf('input', 'email'))}`);
  await stage.http(`/v1/nothing/${encodeURIComponent(canaryOf('input', 'email'))}`);
}

import { createAgentClient, createHttpAgentClient } from 'tollgate/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import type { DecisionResult } from '../../client/decision.ts';
import { HttpStage } from '../support/http-stage.ts';
import { waitFor } from '../support/wait-for.ts';

/** An approval with an edit, from end to end: what a person changed at a gate is checked, looked at by another, and is what runs. */
const stage = new HttpStage();
beforeAll(async () => {
  await stage.openWithApi();
});
afterAll(() => stage.close());

interface Deciding {
  edit(
    approvalId: string,
    given: { readonly actionDigest: string; readonly arguments: Record<string, never>; readonly comment?: string },
  ): Promise<DecisionResult>;
  approve(approvalId: string, given: { readonly actionDigest: string }): Promise<DecisionResult>;
}

/** Two leads by each of the doors. */
const doors: Record<string, () => Promise<{ readonly bob: Deciding; readonly alice: Deciding; readonly names: readonly [string, string] }>> = {
  'the client library, with Temporal and the store': async () => {
    const { signer } = await openLocalKey(stage.folder);
    const person = (name: string) => createAgentClient({ client: stage.client, store: stage.store, signer, identity: { name, roles: ['lead'] } });
    return { bob: person('bob'), alice: person('alice'), names: ['bob', 'alice'] };
  },
  'the client library over HTTP': async () => {
    const person = async (name: string) => createHttpAgentClient({ url: stage.url, token: await stage.key(name, ['read', 'decide'], { roles: ['lead'] }) });
    return { bob: await person('bob'), alice: await person('alice'), names: ['key:bob', 'key:alice'] };
  },
  'plain requests': async () => {
    const person = async (name: string): Promise<Deciding> => {
      const token = await stage.key(name, ['read', 'decide'], { roles: ['lead'] });
      const send = async (approvalId: string, body: object) => {
        const response = await fetch(`${stage.url}/v1/approvals/${encodeURIComponent(approvalId)}/decisions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        const answer = (await response.json()) as DecisionResult;
        return response.ok ? answer : { ...answer, type: 'refused' as never };
      };
      return {
        edit: (approvalId, given) => send(approvalId, { verdict: 'edit', ...given }),
        approve: (approvalId, given) => send(approvalId, { verdict: 'approve', ...given }),
      };
    };
    return { bob: await person('bob-by-hand'), alice: await person('alice-by-hand'), names: ['key:bob-by-hand', 'key:alice-by-hand'] };
  },
};

describe.each(Object.keys(doors))('an edit through %s', (door) => {
  test('is checked against the schema, makes another digest, is looked at by somebody else, and is what runs', { timeout: 120_000 }, async () => {
    const { bob, alice, names } = await (doors[door] as (typeof doors)[string])();
    const id = `edited-${Object.keys(doors).indexOf(door)}`;
    const starter = createHttpAgentClient({ url: stage.url, token: await stage.key(`starter-${id}`, ['start', 'read']) });
    await starter.start('pay-by-two', { message: 'pay' }, { id });
    const gate = await waitFor('the gate', async () => (await starter.pendingApprovals()).find(({ agentRunId }) => agentRunId === id));
    const { approvalId, actionDigest } = gate;
    const current = async () => await stage.store.findGate(approvalId as never);

    for (const args of [{}, { to: 5 }, { to: 'carol', also: true }, { to: 'bob' }])
      expect([args, await bob.edit(approvalId, { actionDigest, arguments: args as never })]).toEqual([
        args,
        expect.objectContaining({ type: 'refused', reason: 'invalidEdit' }),
      ]);
    expect(await current()).toMatchObject({ actionDigest, arguments: { to: 'bob' }, status: 'open' });

    const edited = await bob.edit(approvalId, { actionDigest, arguments: { to: 'carol' } as never, comment: 'It is hers.' });
    expect(edited).toMatchObject({ type: 'accepted', gateStatus: 'open', edited: { editorMayDecide: false } });
    const asks = await current();
    expect(asks).toMatchObject({ arguments: { to: 'carol' }, votes: [], edits: [{ editor: names[0], fromDigest: actionDigest }] });
    expect(asks?.actionDigest).toBe((edited as { edited?: { actionDigest: string } }).edited?.actionDigest);
    expect(asks?.actionDigest).not.toBe(actionDigest);

    const now = { actionDigest: String(asks?.actionDigest) };
    expect(await alice.approve(approvalId, { actionDigest })).toMatchObject({ type: 'refused', reason: 'wrongDigest' });
    expect(await bob.approve(approvalId, now)).toMatchObject({ type: 'refused', reason: 'requesterMayNotDecide' });
    const { runKey } = await stage.run(id);
    expect(await stage.store.listToolCalls(runKey)).toEqual([]);
    expect(await alice.approve(approvalId, now)).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await starter.result(id)).toMatchObject({ status: 'completed', output: 'paid' });
    expect((await stage.store.listToolCalls(runKey)).map(({ result }) => result)).toEqual([{ paid: { to: 'carol' } }]);
    expect(await current()).toMatchObject({ status: 'consumed', votes: [{ approver: names[1] }] });
  });
});

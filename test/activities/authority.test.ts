import type { AgentRunId } from '../../contracts/ids.ts';
import { describe, expect, test } from 'vitest';
import { authorityOver } from '../../activities/approval/authority.ts';
import { permitsByStanding, type StandingJudge } from '../../activities/approval/standing.ts';
import type { ActivityPorts } from '../../activities/ports.ts';
import type { StandingState } from '../../domain/approval/standing.ts';
import type { StopRecord } from '../../domain/approval/stop.ts';
import { approvedGate, runKey } from '../support/store-contract/fixtures.ts';
import { newStanding, newStop } from '../support/store-contract/grant-contract.ts';

const NOW = 1_800_000_000_000;
const asked = { order: 'W1', amount: 12.5, note: null };
const gate = approvedGate(runKey(), { votes: [], standing: { standingId: 's', grantedBy: ['alice'] } });
const state: StandingState = { record: newStanding(), isRevoked: false, uses: 0, totalMicro: 0 };
const yes: StandingJudge = () => ({ type: 'permitted', amountMicro: 5, granters: ['alice'] });

describe('a gate that a standing approval approved', () => {
  test('permits what the standing approval permits', () => {
    expect(permitsByStanding(gate, { stops: [], standing: state, pausedBy: null }, yes, asked, NOW)).toEqual({ type: 'permitted', standingMicro: 5 });
  });

  test.each([
    ['has other arguments than the model asked for', { ...gate, arguments: { ...asked, amount: 13 } }, state, NOW],
    ['is open', { ...gate, status: 'open' as const }, state, NOW],
    ['is used already', { ...gate, status: 'consumed' as const }, state, NOW],
    ['names one that is not there', gate, null, NOW],
    ['was approved too long ago', gate, state, NOW + 60_000],
    ['was never approved', { ...gate, decidedAtMs: null }, state, NOW],
  ])('permits nothing where it %s', (_why, row, standing, nowMs) => {
    expect(permitsByStanding(row, { stops: [], standing, pausedBy: null }, yes, asked, nowMs)).toMatchObject({ type: 'refused' });
  });

  test('permits nothing where the standing approval does not', () => {
    const no: StandingJudge = () => ({ type: 'refused', why: 'it is over' });
    expect(permitsByStanding(gate, { stops: [], standing: state, pausedBy: null }, no, asked, NOW)).toMatchObject({
      type: 'refused',
      message: expect.stringContaining('it is over'),
    });
  });
});

describe('the rule that is asked in the transaction', () => {
  const voted = approvedGate(runKey());
  async function authority(stops: readonly StopRecord[], nowMs = NOW, gate = voted) {
    const ports = {
      store: { stopsFor: async () => stops, nowMs: async () => nowMs, controlOf: async () => ({ pausedBy: null, skippedReplyId: null }) },
      requesterMayDecideByDefault: true,
      verifier: {
        verify: () => ({
          ...voted.runKey,
          approvalId: voted.approvalId,
          actionDigest: voted.actionDigest,
          verdict: 'approve',
          approver: 'bob',
          roles: ['approver'],
          expiresAtMs: NOW + 1_000,
        }),
        readStatement: () => null,
      },
    } as unknown as ActivityPorts;
    const call = { tool: { name: 'refund' }, args: asked } as never;
    const snapshot = { task: { name: 'support' } } as never;
    return authorityOver(ports, {
      gate,
      digest: voted.actionDigest,
      snapshot,
      call,
      opened: new Map(),
      tenant: 'acme',
      asked: { policy: voted.policy, tried: null },
    });
  }

  test('holds an approved action for a switch that was thrown since anybody last looked', async () => {
    const unaware = await authority([]);
    await unaware.demandRunning();
    expect(unaware.mayBegin(voted, NOW, { stops: [], standing: null, pausedBy: null })).toEqual({ type: 'permitted' });
    expect(unaware.mayBegin(voted, NOW, { stops: [newStop({ tool: 'refund' })], standing: null, pausedBy: null })).toMatchObject({ type: 'stopped' });
    // A resume whose signature nobody knows.
    const forged = newStop({}, { resume: { signed: 'x.y', actor: 'mallory', reason: 'ha', atMs: NOW } });
    expect(unaware.mayBegin(voted, NOW, { stops: [forged], standing: null, pausedBy: null })).toMatchObject({ type: 'stopped' });
    expect(unaware.mayBegin(voted, NOW, { stops: [newStop({ tenant: 'globex' })], standing: null, pausedBy: null })).toEqual({ type: 'permitted' });
  });

  test('holds an approved action while an operator holds its run, or one that it belongs to', async () => {
    const unaware = await authority([]);
    for (const pausedBy of [voted.runKey.agentRunId, 'its-parent' as AgentRunId])
      expect(unaware.mayBegin(voted, NOW, { stops: [], standing: null, pausedBy })).toMatchObject({
        type: 'paused',
        message: expect.stringContaining(pausedBy),
      });
  });

  test('an action whose first sending failed is not sent again while it is stopped', async () => {
    expect(await (await authority([])).mayBeSentAgain()).toBe(true);
    expect(await (await authority([newStop({ tool: 'refund' })])).mayBeSentAgain()).toBe(false);
    await expect((await authority([newStop({})])).demandRunning()).rejects.toMatchObject({ type: 'stopped' });
  });

  test('an action is not sent again on an approval that is too old, whatever its row and an intent beside it say', async () => {
    const { approvalValidForMs } = voted.policy;
    const young = { ...voted, decidedAtMs: NOW + approvalValidForMs };
    const at = async (nowMs: number) => await (await authority([], nowMs, young)).mayBeSentAgain();
    expect([await at(NOW + approvalValidForMs + 999), await at(NOW + approvalValidForMs + 1_000)]).toEqual([true, false]);
  });
});

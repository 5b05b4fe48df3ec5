import { afterEach, beforeEach, expect, test } from 'vitest';
import { showGate } from '../../client/shown-gate.ts';
import type { RedactionSettings } from '../../contracts/redaction.ts';
import type { RunKey } from '../../contracts/ids.ts';
import { type KeyringGround, openKeyringGround } from '../support/keyring.ts';
import { newGate, startRun } from '../support/store-contract/fixtures.ts';

let ground: KeyringGround;
let runKey: RunKey;
beforeEach(async () => {
  ground = await openKeyringGround();
  runKey = await startRun(ground.store, { tenant: 'acme' });
  const key = await ground.openKeyring().key({ type: 'run', tenant: 'acme', runKey });
  const entry = (token: string, type: string, value: string) => ({ token, type, valueHash: value, sealed: key.sealText(value, `vault ${token}`) });
  const entries = [entry('⟦email:1⟧', 'email', 'ann@example.org'), entry('⟦nationalId.us-ssn:1⟧', 'nationalId.us-ssn', '123')];
  await ground.store.recordRedaction(runKey, { entries, counts: [] });
});
afterEach(() => ground.remove());

const settings: RedactionSettings = { approversSee: { controller: ['email'], auditor: ['nationalId'] } };

async function shown(roles: readonly string[], policy: RedactionSettings = settings) {
  const gate = await ground.store.createGate(newGate(runKey, { arguments: { to: '⟦email:1⟧', ssn: '⟦nationalId.us-ssn:1⟧' } }));
  return await showGate({ store: ground.store, keyring: ground.openKeyring(), settings: policy, identity: { name: 'alice', roles } }, gate);
}

const looks = async () => (await ground.store.listAudit({ runKey, limit: 10 })).filter(({ type }) => type === 'vault.shown');

test('an approver sees tokens; where no rule says more, whoever it is', async () => {
  for (const report of [await shown(['lead']), await shown(['*'], {}), await shown([])]) {
    expect(report).toMatchObject({ arguments: { to: '⟦email:1⟧' } });
    expect(report.values).toBeUndefined();
  }
  expect(await looks()).toEqual([]);
});

test('a role sees the values of its types beside the tokens, and each look is audited with who and which, never the value', async () => {
  expect(await shown(['controller'])).toMatchObject({ arguments: { to: '⟦email:1⟧' }, values: { '⟦email:1⟧': 'ann@example.org' } });
  expect((await shown(['auditor'])).values).toEqual({ '⟦nationalId.us-ssn:1⟧': '123' });
  expect(Object.keys((await shown(['*'])).values ?? {})).toHaveLength(2);
  const audit = await looks();
  expect(audit.map(({ actor, data }) => [actor, (data as { tokens: unknown }).tokens])).toEqual([
    ['alice', ['⟦email:1⟧']],
    ['alice', ['⟦nationalId.us-ssn:1⟧']],
    ['alice', ['⟦email:1⟧', '⟦nationalId.us-ssn:1⟧']],
  ]);
  expect(JSON.stringify(audit)).not.toContain('ann@');
});

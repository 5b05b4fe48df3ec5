import type { RedactionSettings } from '../contracts/redaction.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import { openTokens, type VaultParts } from '../domain/redaction/open-tokens.ts';
import { familyOf } from '../domain/redaction/policy.ts';
import type { Store } from '../domain/store/port.ts';
import type { Identity } from './decision.ts';
import { type GateReport, reportGate } from './gate-report.ts';
import { withStops } from './stopped-gates.ts';

export interface ShowsGates extends VaultParts {
  readonly store: Store;
  readonly settings: RedactionSettings;
  readonly identity: Identity;
}

/**
 * A gate as this person may see it: tokens, and beside them the values of those types that `approversSee` of the project's
 * redaction gives to one of their roles. Each look at values is audited.
 */
export async function showGate({ store, keyring, settings, identity }: ShowsGates, gate: GateRecord): Promise<GateReport> {
  const [report = reportGate(gate)] = await withStops(store, [{ gate, report: reportGate(gate) }]);
  const types = typesFor(settings, identity);
  const run = types.length === 0 ? null : await store.getRun(gate.runKey);
  if (!run) return report;
  const opened = await openTokens({ store, keyring }, { runKey: gate.runKey, tenant: run.tenant }, [gate.arguments, gate.reason]);
  const values = [...opened].flatMap(([token, { type, value }]) => (value !== null && isAmong(types, type) ? [[token, value] as const] : []));
  if (values.length === 0) return report;
  await store.appendAudit({
    type: 'vault.shown',
    runKey: gate.runKey,
    actor: identity.name,
    data: { approvalId: gate.approvalId, tokens: values.map(([token]) => token) },
  });
  return { ...report, values: Object.fromEntries(values) };
}

/** `*` among a person's roles stands for every role. */
function typesFor({ approversSee = {} }: RedactionSettings, { roles }: Identity): readonly string[] {
  return Object.entries(approversSee).flatMap(([role, types]) => (roles.includes(role) || roles.includes('*') ? types : []));
}

function isAmong(types: readonly string[], type: string): boolean {
  return types.some((allowed) => allowed === '*' || allowed === type || allowed === familyOf(type));
}

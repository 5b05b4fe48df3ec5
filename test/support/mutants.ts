import { IDENTITY_MUTANTS } from './identity-mutants.ts';

/** A safeguard, the code without it, and the tests of which at least one must then fail. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly safeguard: string;
  readonly without: string;
  readonly tests: readonly string[];
}

const PROCESSES = 'test/adapters/sqlite-store-processes.test.ts';
const LATE = 'test/activities/late-sender.test.ts';
const REDACTION = 'test/activities/redaction.test.ts';
const MCP = 'test/adapters/mcp-tool.test.ts';
const DECISIONS = 'test/workflows/decisions.test.ts';
const CAMPAIGN = 'test/simulation/campaign.test.ts';
const OWN_WORKFLOWS = 'test/workflows/own-workflows.test.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the lock of a reservation',
    file: 'adapters/stores/sqlite/ledger-store.ts',
    safeguard: 'reserveAttempt: async (attempt) => db.write(() => reserve(db, attempt)),',
    without: 'reserveAttempt: async (attempt) => reserve(db, attempt),',
    tests: [PROCESSES],
  },
  {
    name: 'the lock of consuming an approval',
    file: 'adapters/stores/sqlite/tool-call-store.ts',
    safeguard: 'consumeApproval: async (call, rule) => db.write(() => consume(db, call, rule)),',
    without: 'consumeApproval: async (call, rule) => consume(db, call, rule),',
    tests: [PROCESSES],
  },
  {
    name: 'the limit of a reservation',
    file: 'domain/budget/ledger.ts',
    safeguard: 'return amountNanoUsd + setAsideNanoUsd <= remainingNanoUsd(totals);',
    without: 'return amountNanoUsd + setAsideNanoUsd >= 0 || remainingNanoUsd(totals) > 0;',
    tests: ['test/domain/ledger.test.ts', 'test/adapters/sqlite-store.test.ts'],
  },
  {
    name: 'the check of the approval in executeTool',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'permits(row, provenVotes(ports, row, digest), nowMs),',
    without: "({ type: 'permitted' }),",
    tests: [LATE, DECISIONS],
  },
  {
    name: 'the proof of the votes in executeTool',
    file: 'activities/approval/gated-action.ts',
    safeguard: 'const decision = verifier.verify(vote.signedDecision);',
    without: 'const decision = { ...gate.runKey, approvalId: gate.approvalId, actionDigest: digest, ...vote } as ReturnType<typeof verifier.verify>;',
    tests: [DECISIONS],
  },
  {
    name: 'the digest recomputed in executeTool',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'const isShown = digest === gate.actionDigest;',
    without: 'const isShown = true;',
    tests: [LATE],
  },
  {
    name: 'the demand for an approval in executeTool',
    file: 'activities/tool/execute-tool.ts',
    safeguard: 'if (!isIrreversible) return executeRepeatable(',
    without: 'if (!isIrreversible || true) return executeRepeatable(',
    tests: [LATE, DECISIONS],
  },
  {
    name: 'the dispatch deadline of an action',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'const isLate = (await ports.store.nowMs()) > intent.dispatchDeadlineMs || context.signal.aborted;',
    without: 'const isLate = false;',
    tests: [LATE],
  },
  {
    name: 'the dispatch deadline of a model call',
    file: 'activities/model/send-attempt.ts',
    safeguard: 'if ((await store.nowMs()) > attempt.dispatchDeadlineMs || cancelled.aborted)',
    without: 'if (cancelled.aborted)',
    tests: [LATE],
  },
  {
    name: 'the hold of money whose outcome is not known',
    file: 'domain/budget/outcome.ts',
    safeguard: "lost: { money: 'hold',",
    without: "lost: { money: 'release',",
    tests: ['test/domain/outcome.test.ts'],
  },
  {
    name: 'the hold of a stream that was cut',
    file: 'domain/budget/outcome.ts',
    safeguard: "if (arrived === 'part') return 'partial';",
    without: '',
    tests: ['test/domain/outcome.test.ts'],
  },
  {
    name: 'the end that a streamed reply must have',
    file: 'adapters/providers/openai/chat-stream.ts',
    safeguard: 'return this.#finishReason !== null || (end.type',
    without: 'return this.hasBegun || (end.type',
    tests: ['test/adapters/stream-faults.test.ts'],
  },
  {
    name: 'the doubt about a background response that cannot be found',
    file: 'adapters/providers/openai/background.ts',
    safeguard: "if (status === 404 || status === 410) return { type: 'notFound' };",
    without: "if (status === 404 || status === 410) return { type: 'ended', result: failure };",
    tests: ['test/adapters/background-responses.test.ts'],
  },
  {
    name: 'the comparison of an MCP tool before a read or write',
    file: 'adapters/tools/mcp-tool.ts',
    safeguard: 'mustBePinned(tool, await server.offered(context.signal));',
    without: 'await server.offered(context.signal);',
    tests: [MCP],
  },
  {
    name: 'the comparison of an MCP tool in the moment of an action',
    file: 'adapters/tools/mcp-tool.ts',
    safeguard: "if (change) return { type: 'notDone', message: change };",
    without: '',
    tests: [MCP],
  },
  {
    name: 'the comparison of an MCP tool before an approval is consumed',
    file: 'adapters/tools/mcp-tool.ts',
    safeguard: 'mustBePinned(tool, await servers.get(mcpBinding(tool).server).offeredNow(signal));',
    without: 'await servers.get(mcpBinding(tool).server).offeredNow(signal);',
    tests: [MCP],
  },
  {
    name: 'the announcement that ends the belief in a list of MCP tools',
    file: 'adapters/tools/mcp/connection.ts',
    safeguard: 'connection.#known = null;',
    without: '',
    tests: [MCP],
  },
  {
    name: 'the doubt about an action that an MCP server answers with an error',
    file: 'adapters/tools/mcp-tool.ts',
    safeguard: "if (binding.errorMeans === 'notDone') return",
    without: 'if (result.isError) return',
    tests: [MCP],
  },
  {
    name: 'the digest that a lower effect of an MCP tool needs',
    file: 'contracts/task.ts',
    safeguard: "if (binding.type === 'mcp' && effect !== 'irreversible' && binding.schemaDigest === undefined)",
    without: 'if (context.value === undefined)',
    tests: ['test/adapters/project.test.ts'],
  },
  {
    name: 'the proof of an approval before an intent is dispatched again',
    file: 'activities/tool/irreversible.ts',
    safeguard: 'isApproved ? 1 : 0',
    without: '1',
    tests: [OWN_WORKFLOWS],
  },
  {
    name: 'the one vote that every action needs',
    file: 'domain/approval/gate.ts',
    safeguard: 'needed: Math.max(1, gate.policy.approvers)',
    without: 'needed: gate.policy.approvers',
    tests: ['test/domain/gate.test.ts'],
  },
  {
    name: 'the budgets above the parent of a child',
    file: 'activities/agent-run/pin-task.ts',
    safeguard: 'return [parent, ...parentRunKeys];',
    without: 'return [parent];',
    tests: [OWN_WORKFLOWS],
  },
  {
    name: 'the cancellation of children with their parent',
    file: 'workflows/agent-run/child-agents.ts',
    safeguard: 'parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,',
    without: 'parentClosePolicy: ParentClosePolicy.ABANDON,',
    tests: [OWN_WORKFLOWS],
  },
  {
    name: 'the stop where a restored store may have forgotten what was sent',
    file: 'activities/restored.ts',
    safeguard: 'if (attempt === 1) return;',
    without: 'if (attempt >= 1) return;',
    tests: [LATE],
  },
  {
    name: 'the dispatch deadline before a call that was never seen is released',
    file: 'domain/budget/held.ts',
    safeguard: 'return nowMs <= attempt.dispatchDeadlineMs + DISPATCH_MARGIN_MS',
    without: 'return nowMs < 0',
    tests: ['test/domain/held.test.ts'],
  },
  {
    name: 'the money of an attempt in flight, left alone by reconciliation',
    file: 'activities/budget/reconcile-batch.ts',
    safeguard: 'if (snapshot && isInFlight(held, snapshot.task.limits.modelTimeoutMs, await store.nowMs())) return { ...NO_COUNTS, inFlight: 1 };',
    without: '',
    tests: ['test/workflows/reconcile.test.ts'],
  },
  {
    name: 'the bound that learns from an overrun',
    file: 'adapters/stores/sqlite/ledger-store.ts',
    safeguard: 'learnBound(db, attempt, settledNanoUsd ?? 0);',
    without: '',
    tests: ['test/adapters/sqlite-store.test.ts'],
  },
  {
    name: 'the byte bound where counting would hold the process up',
    file: 'adapters/tokenizers/openai-tokenizer.ts',
    safeguard: 'text.length > MAX_COUNTED_LENGTH || LONG_STRETCH.test(text) ? bytes(text) : ',
    without: '',
    tests: ['test/adapters/input-bound.test.ts'],
  },
  {
    name: 'the hash of what was opened in an action digest',
    file: 'domain/redaction/open-tokens.ts',
    safeguard: "return [token, { type, value: opened, valueHash: keyed.hash('vault', opened) }];",
    without: "return [token, { type, value: opened, valueHash: keyed.hash('vault', opened) && valueHash }];",
    tests: [REDACTION],
  },
  {
    name: 'the brackets of forged tokens',
    file: 'activities/redaction/run-redaction.ts',
    safeguard: 'own.get(token) ?? withoutBrackets(token)',
    without: 'own.get(token) ?? token',
    tests: [REDACTION],
  },
  {
    name: 'the other look where another call may have given out a token',
    file: 'activities/redaction/run-redaction.ts',
    safeguard: "=== 'recorded') return",
    without: "!== 'nothing') return",
    tests: [REDACTION],
  },
  {
    name: 'redaction of a reply before it is journalled',
    file: 'activities/redaction/redact-reply.ts',
    safeguard: 'await redactedResult(ports, attempt, await endpoint.send(request, options)),',
    without: 'await endpoint.send(request, options),',
    tests: [REDACTION],
  },
  {
    name: 'the place that a sealed value is bound to',
    file: 'adapters/keys/sealed.ts',
    safeguard: "data.write(context, header.length, 'utf8');",
    without: 'data.fill(0, header.length);',
    tests: ['test/adapters/keyring.test.ts'],
  },
  {
    name: 'the tenant of a caller of the codec server',
    file: 'client/http/codec-routes.ts',
    safeguard: 'if (tenant !== null && (await codec.sealedFor(payload)) !== tenant) return payload;',
    without: 'void tenant;',
    tests: ['test/workflows/sealed-history.test.ts'],
  },
  {
    name: 'the record of a response whose cost is held, at an erasure',
    file: 'client/erasure.ts',
    safeguard: "const reason = isHeld ? 'its cost is still held; reconcile or write it off first' : await deleteAt(endpoint(name), name, responseId);",
    without: 'const reason = isHeld && !name ? null : await deleteAt(endpoint(name), name, responseId);',
    tests: ['test/client/erasure.test.ts'],
  },
  {
    name: 'the end that a run must have before it is erased',
    file: 'client/erasure.ts',
    safeguard: 'if (run.endedAtMs === null) {',
    without: 'if (run.endedAtMs === -1) {',
    tests: ['test/client/erasure.test.ts'],
  },
  {
    name: 'the campaign without the lock of a reservation',
    file: 'adapters/stores/sqlite/ledger-store.ts',
    safeguard: 'reserveAttempt: async (attempt) => db.write(() => reserve(db, attempt)),',
    without: 'reserveAttempt: async (attempt) => reserve(db, attempt),',
    tests: [CAMPAIGN],
  },
  {
    name: 'the campaign without the wait for the journal',
    file: 'activities/model/send-attempt.ts',
    safeguard: `      },
    });
    return await persist(async () => store.reportAttempt(runKey, attemptId, reportOf(inTime(result, wait), candidate.price, await store.nowMs())));`,
    without: `      },
    });
    const report = reportOf(inTime(result, wait), candidate.price, await store.nowMs());
    setTimeout(() => void store.reportAttempt(runKey, attemptId, report).catch(() => undefined), 15);
    return { ...attempt, outcome: report.outcome, reply: report.reply ?? null };`,
    tests: [CAMPAIGN],
  },
  {
    name: 'the campaign without the hold of what is not known',
    file: 'domain/budget/outcome.ts',
    safeguard: "lost: { money: 'hold', billed: 'unknown', told: 'failure', sameModelAgain: 'byClass' },",
    without: "lost: { money: 'release', billed: 'no', told: 'failure', sameModelAgain: 'byClass' },",
    tests: [CAMPAIGN],
  },
  {
    name: 'the digest of a pinned task that comes from the store',
    file: 'activities/agent-run/snapshot.ts',
    safeguard: 'if (textDigest(text) !== digest)',
    without: 'if (textDigest(text) === digest && digest.length < 0)',
    tests: ['test/attacks/store.test.ts'],
  },
  {
    name: 'the pinned task of history against the one that the store names',
    file: 'activities/tool/execute-tool.ts',
    safeguard: 'if (input.snapshotDigest !== undefined && input.snapshotDigest !== run.snapshotDigest)',
    without: 'if (input.snapshotDigest === null)',
    tests: ['test/attacks/store.test.ts'],
  },
  {
    name: 'the look at what a text draws on a terminal',
    file: 'client/cli/text.ts',
    safeguard: 'const text = visible(raw).replaceAll(',
    without: 'const text = raw.replaceAll(',
    tests: ['test/attacks/shown.test.ts'],
  },
  {
    name: 'the memory of what was undone already',
    file: 'domain/tool/compensation.ts',
    safeguard: 'if (done) used.add(done.callKey);',
    without: 'if (done && used.size < 0) used.add(done.callKey);',
    tests: ['test/domain/compensation.test.ts'],
  },
  {
    name: 'the doubt that keeps an action from being undone',
    file: 'domain/tool/compensation.ts',
    safeguard: "if (status === 'intent' || status === 'inDoubt') leave(",
    without: 'if (status.length === 0) leave(',
    tests: ['test/domain/compensation.test.ts'],
  },
  {
    name: 'the end of a denial within an undoing',
    file: 'domain/agent-run/next-action.ts',
    safeguard: "nextCall(position, { ...task, onDenied: 'tellModel', onExpired: 'tellModel' })",
    without: 'nextCall(position, task)',
    tests: ['test/domain/compensation.test.ts'],
  },
  ...IDENTITY_MUTANTS,
];

import { TollgateError } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { Keyring } from '../../../domain/encryption/port.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { HeldAttempt } from '../../../domain/budget/held-store-port.ts';
import type { AttemptRecord, AuditEntry, AuditRecord, ReserveResult, Store, ToolCallRecord } from '../../../domain/store/port.ts';
import type { GateOfRun } from '../../../domain/overview/store-port.ts';
import type { FeedbackRecord } from '../../../domain/feedback/store-port.ts';
import { isSealedText } from '../../keys/sealed.ts';
import { ERASED_SEAL, RunSeals, type Seal, unescaped } from './run-seals.ts';
import { openAttempt, openAudit, openCall, openGate, openMessage, sealAudit, sealCallOutcome, sealGate, sealMessage, sealReport } from './sealed-records.ts';

/**
 * A store that keeps what was said in a run sealed under the run's own key: messages, replies, results, what gates ask for
 * and what people wrote there, the audit's details. The one place where rows are sealed and opened, whichever store is
 * below. Rows of before are read as they are. With `seals` false it only opens.
 */
export function sealedStore(store: Store, keyring: Keyring, { seals }: { readonly seals: boolean }): Store {
  const runSeals = new RunSeals(keyring, store, seals);
  return {
    ...store,
    ...sealedContent(store, runSeals, keyring),
    ...sealedLedger(store, runSeals),
    ...sealedHeld(store, runSeals),
    ...sealedToolCalls(store, runSeals),
    ...sealedGates(store, runSeals),
    ...sealedOverview(store, runSeals),
    ...sealedAudit(store, runSeals),
    ...sealedFeedback(store, runSeals),
    ...sealedRepairs(store, runSeals),
  };
}

type Part<Name extends keyof Store> = Pick<Store, Name>;

function sealedContent(store: Store, seals: RunSeals, keyring: Keyring): Part<'putContent' | 'getContent' | 'putNode' | 'loadTranscript'> {
  return {
    // A digest over a sealed text tells nothing of what is in it. Without an owner it is a definition, which many runs share.
    putContent: async (text, owner) => {
      if (owner === undefined) return await store.putContent(text);
      return await store.putContent((await seals.of(owner)).seal(text, 'content'), owner);
    },
    getContent: async (digest) => {
      const text = await store.getContent(digest);
      if (text === null || !isSealedText(text)) return text === null ? null : unescaped(text);
      return await openAnyContent(keyring, text);
    },
    putNode: async (runKey, nodeId, message) => store.putNode(runKey, nodeId, sealMessage(await seals.of(runKey), message)),
    loadTranscript: async (runKey, head, after) => {
      const seal = await seals.of(runKey);
      // Nobody goes on from a transcript of which nothing is left.
      if (seal === ERASED_SEAL) return { type: 'missing', what: 'the transcript, which was erased' };
      const loaded = await store.loadTranscript(runKey, head, after);
      return loaded.type === 'missing' ? loaded : { ...loaded, messages: loaded.messages.map((message) => openMessage(seal, message)) };
    },
  };
}

/** Whoever has the digest may not know the run: the key's id is in the text. */
async function openAnyContent(keyring: Keyring, text: string): Promise<string | null> {
  const keyId = Buffer.from(text.slice(text.lastIndexOf(':') + 1), 'base64')
    .subarray(1, 9)
    .toString('hex');
  try {
    const opener = await keyring.opener(keyId);
    // A definition that somebody wrote so is no sealed content.
    return opener ? opener.key.openText(text, 'content') : text;
  } catch (error) {
    if (error instanceof TollgateError && error.type === 'erased') return null;
    throw error;
  }
}

function sealedLedger(store: Store, seals: RunSeals): Part<'reserveAttempt' | 'getAttempt' | 'listAttempts' | 'findReply' | 'reportAttempt' | 'moveMoney'> {
  const opened = async (runKey: RunKey, reading: Promise<AttemptRecord | null>) => {
    const attempt = await reading;
    return attempt ? openAttempt(await seals.of(runKey), attempt) : null;
  };
  return {
    reserveAttempt: async (attempt) => {
      const result = await store.reserveAttempt(attempt);
      return result.type === 'exists' ? ({ ...result, attempt: openAttempt(await seals.of(attempt.runKey), result.attempt) } satisfies ReserveResult) : result;
    },
    getAttempt: (runKey, attemptId) => opened(runKey, store.getAttempt(runKey, attemptId)),
    listAttempts: async (runKey) => {
      const attempts = await store.listAttempts(runKey);
      const seal = await seals.of(runKey);
      return attempts.map((attempt) => openAttempt(seal, attempt));
    },
    findReply: (runKey, step, requestDigest) => opened(runKey, store.findReply(runKey, step, requestDigest)),
    reportAttempt: async (runKey, attemptId, report) => {
      const seal = await seals.of(runKey);
      return openAttempt(seal, await store.reportAttempt(runKey, attemptId, sealReport(seal, report)));
    },
    moveMoney: async (runKey, ...move) => openAttempt(await seals.of(runKey), await store.moveMoney(runKey, ...move)),
  };
}

function sealedHeld(store: Store, seals: RunSeals): Part<'listHeld' | 'findAttempt'> {
  const opened = async (held: HeldAttempt): Promise<HeldAttempt> => ({ ...held, attempt: openAttempt(await seals.of(held.attempt.runKey), held.attempt) });
  return {
    listHeld: async (filter) => await Promise.all((await store.listHeld(filter)).map(opened)),
    findAttempt: async (attemptId) => {
      const held = await store.findAttempt(attemptId);
      return held && (await opened(held));
    },
  };
}

function sealedToolCalls(
  store: Store,
  seals: RunSeals,
): Part<'beginToolCall' | 'journalRead' | 'consumeApproval' | 'getToolCall' | 'listToolCalls' | 'findActions' | 'finishToolCall'> {
  const openAll = async (runKey: RunKey, calls: readonly ToolCallRecord[]) => {
    const seal = await seals.of(runKey);
    return calls.map((call) => openCall(seal, call));
  };
  return {
    beginToolCall: async (call) => {
      const begun = await store.beginToolCall(call);
      return { ...begun, call: openCall(await seals.of(call.runKey), begun.call) };
    },
    journalRead: async (call, outcome, tookMs) => {
      const seal = await seals.of(call.runKey);
      return openCall(seal, await store.journalRead(call, sealCallOutcome(seal, call.callKey, outcome), tookMs));
    },
    consumeApproval: async (call, rule) => {
      const seal = await seals.of(call.runKey);
      const result = await store.consumeApproval(call, (gate, nowMs, facts) => rule(openGate(seal, gate), nowMs, facts));
      switch (result.type) {
        case 'permitted':
          return { ...result, call: openCall(seal, result.call), gate: openGate(seal, result.gate) };
        case 'exists':
          return { ...result, call: openCall(seal, result.call) };
        case 'repeated':
          return { ...result, earlier: openCall(seal, result.earlier) };
        case 'refused':
        case 'stopped':
        case 'paused':
          return result;
      }
    },
    getToolCall: async (runKey, callKey) => {
      const call = await store.getToolCall(runKey, callKey);
      return call ? openCall(await seals.of(runKey), call) : null;
    },
    listToolCalls: async (runKey) => openAll(runKey, await store.listToolCalls(runKey)),
    findActions: async (runKey, ...action) => openAll(runKey, await store.findActions(runKey, ...action)),
    finishToolCall: async (runKey, callKey, outcome) => {
      const seal = await seals.of(runKey);
      return openCall(seal, await store.finishToolCall(runKey, callKey, sealCallOutcome(seal, callKey, outcome)));
    },
  };
}

function sealedGates(store: Store, seals: RunSeals): Part<'createGate' | 'getGate' | 'findGate' | 'listGates' | 'decideGate' | 'changeGate' | 'raiseLimit'> {
  const opened = async (gate: GateRecord | null) => (gate ? openGate(await seals.of(gate.runKey), gate) : null);
  return {
    createGate: async (gate) => {
      const seal = await seals.of(gate.runKey);
      return openGate(seal, await store.createGate(sealGate(seal, gate)));
    },
    getGate: async (runKey, approvalId) => opened(await store.getGate(runKey, approvalId)),
    findGate: async (approvalId) => opened(await store.findGate(approvalId)),
    listGates: async (filter) => {
      const gates = await store.listGates(filter);
      return await Promise.all(gates.map(async (gate) => openGate(await seals.of(gate.runKey), gate)));
    },
    decideGate: async (runKey, approvalId, rule, audit) => {
      const seal = await seals.of(runKey);
      return await store.decideGate(
        runKey,
        approvalId,
        (gate, nowMs) => {
          const transition = rule(openGate(seal, gate), nowMs);
          return { ...transition, gate: transition.gate ? sealGate(seal, transition.gate) : null };
        },
        (answer) => {
          const entry = audit(answer);
          return entry && sealEntry(seal, entry);
        },
      );
    },
    changeGate: async (runKey, approvalId, change) => {
      const seal = await seals.of(runKey);
      const changed = await store.changeGate(runKey, approvalId, (gate, nowMs) => {
        const next = change(openGate(seal, gate), nowMs);
        return next && { gate: sealGate(seal, next.gate), audit: next.audit.map((entry) => sealEntry(seal, entry)) };
      });
      return changed && openGate(seal, changed);
    },
    raiseLimit: async (runKey, approvalId, amount, rule) => {
      const seal = await seals.of(runKey);
      return await store.raiseLimit(runKey, approvalId, amount, (gate, nowMs) => rule(openGate(seal, gate), nowMs));
    },
  };
}

function sealedOverview(store: Store, seals: RunSeals): Part<'listWaitingGates'> {
  const opened = async (found: GateOfRun): Promise<GateOfRun> => ({ ...found, gate: openGate(await seals.of(found.gate.runKey), found.gate) });
  return {
    listWaitingGates: async (filter) => {
      const { gates, total } = await store.listWaitingGates(filter);
      return { gates: await Promise.all(gates.map(opened)), total };
    },
  };
}

function sealedAudit(store: Store, seals: RunSeals): Part<'appendAudit' | 'listAudit' | 'listChain'> {
  const opened = async <T extends AuditRecord>(record: T): Promise<T> => (record.runKey ? openAudit(await seals.of(record.runKey), record) : record);
  return {
    appendAudit: async (entry) => store.appendAudit(entry.runKey ? sealEntry(await seals.of(entry.runKey), entry) : entry),
    listAudit: async (filter) => {
      return await Promise.all((await store.listAudit(filter)).map(opened));
    },
    listChain: async (filter) => await Promise.all((await store.listChain(filter)).map(opened)),
  };
}

const COMMENT = 'feedback';

function sealedFeedback(store: Store, seals: RunSeals): Part<'putFeedback' | 'listFeedback'> {
  const opened = async (feedback: FeedbackRecord): Promise<FeedbackRecord> => {
    if (feedback.comment === null) return feedback;
    return { ...feedback, comment: (await seals.of(feedback.runKey)).open(feedback.comment, COMMENT) };
  };
  return {
    putFeedback: async (feedback) => {
      const { comment } = feedback;
      const sealed = comment === null ? null : (await seals.of(feedback.runKey)).seal(comment, COMMENT);
      const answer = await store.putFeedback({ ...feedback, comment: sealed });
      return answer.type === 'tooMany' ? answer : { ...answer, feedback: await opened(answer.feedback) };
    },
    listFeedback: async (runKey) => await Promise.all((await store.listFeedback(runKey)).map(opened)),
  };
}

const REASON = 'repair';

function sealedRepairs(store: Store, seals: RunSeals): Part<'makeRepair' | 'listRepairs'> {
  return {
    makeRepair: async (repair, change, rule, audit) => {
      const seal = await seals.of(repair.runKey);
      const result = await store.makeRepair({ ...repair, reason: seal.seal(repair.reason, REASON) }, change, rule, sealEntry(seal, audit));
      return 'repair' in result ? { ...result, repair: { ...result.repair, reason: seal.open(result.repair.reason, REASON) } } : result;
    },
    listRepairs: async (runKey) => {
      const repairs = await store.listRepairs(runKey);
      if (repairs.length === 0) return repairs;
      const seal = await seals.of(runKey);
      return repairs.map((repair) => ({ ...repair, reason: seal.open(repair.reason, REASON) }));
    },
  };
}

function sealEntry(seal: Seal, entry: AuditEntry): AuditEntry {
  return { ...entry, ...sealAudit(seal, entry) };
}

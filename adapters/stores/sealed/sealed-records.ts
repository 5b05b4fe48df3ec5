import type { JsonValue } from '../../../contracts/json.ts';
import type { ModelReply, TranscriptMessage } from '../../../contracts/model.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { AttemptOutcome, AttemptRecord, AuditEntry, AuditRecord, OutcomeReport, ToolCallOutcome, ToolCallRecord } from '../../../domain/store/port.ts';
import { commitTo } from '../audit-row.ts';
import { isSealedText } from '../../keys/sealed.ts';
import { ERASED, isMarked, type Seal } from './run-seals.ts';

// What of each record is said by somebody, and so is sealed. Everything that rules, indexes and lists need stays readable.

const MESSAGE = 'message';
const REPLY = 'reply';
const FAILURE = 'failure';

export function sealMessage(seal: Seal, message: TranscriptMessage): TranscriptMessage {
  if (message.role === 'assistant') return message;
  return { ...message, text: seal.seal(message.text, MESSAGE) };
}

/** Also a reply as part of a transcript: its text then holds all of it. */
export function openMessage(seal: Seal, message: TranscriptMessage): TranscriptMessage {
  if (message.role !== 'assistant') return { ...message, text: seal.open(message.text, MESSAGE) };
  const { text, toolCalls, providerItems, providerItemsFor } = openSaid(seal, { refusal: null, ...message });
  return { role: 'assistant', text, toolCalls, ...(providerItems ? { providerItems } : {}), ...(providerItemsFor ? { providerItemsFor } : {}) };
}

type Said = Pick<ModelReply, 'text' | 'refusal' | 'toolCalls' | 'providerItems' | 'providerItemsFor'>;

function sealReply(seal: Seal, reply: ModelReply): ModelReply {
  const { text, refusal, toolCalls, providerItems, providerItemsFor, ...open } = reply;
  const said: Said = { text, refusal, toolCalls, ...(providerItems ? { providerItems } : {}), ...(providerItemsFor ? { providerItemsFor } : {}) };
  const plain = JSON.stringify(said);
  const sealed = seal.seal(plain, REPLY);
  if (sealed !== plain) return { ...open, text: sealed, refusal: null, toolCalls: [] };
  return text === null ? reply : { ...reply, text: seal.seal(text, REPLY) };
}

function openSaid<T extends Said>(seal: Seal, reply: T): T {
  if (reply.text === null) return reply;
  const opened = seal.open(reply.text, REPLY);
  if (!isSealedText(reply.text) || opened === ERASED) return { ...reply, text: opened };
  return { ...reply, ...(JSON.parse(opened) as Said) };
}

function sealOutcome(seal: Seal, outcome: AttemptOutcome): AttemptOutcome {
  return outcome.type === 'failed' ? { ...outcome, message: seal.seal(outcome.message, FAILURE) } : outcome;
}

export function sealReport(seal: Seal, report: OutcomeReport): OutcomeReport {
  return { ...report, outcome: sealOutcome(seal, report.outcome), ...(report.reply ? { reply: sealReply(seal, report.reply) } : {}) };
}

export function openAttempt(seal: Seal, attempt: AttemptRecord): AttemptRecord {
  const { outcome, reply } = attempt;
  return {
    ...attempt,
    outcome: outcome?.type === 'failed' ? { ...outcome, message: seal.open(outcome.message, FAILURE) } : outcome,
    reply: reply ? openSaid(seal, reply) : null,
  };
}

/** Any JSON; sealed, it is a text. */
function sealJson(seal: Seal, value: JsonValue, context: string): JsonValue {
  const text = JSON.stringify(value);
  const sealed = seal.seal(text, context);
  if (sealed !== text) return sealed;
  return typeof value === 'string' ? seal.seal(value, context) : value;
}

function openJson(seal: Seal, stored: JsonValue, context: string): JsonValue {
  if (typeof stored !== 'string' || !isMarked(stored)) return stored;
  const opened = seal.open(stored, context);
  return isSealedText(stored) && opened !== ERASED ? (JSON.parse(opened) as JsonValue) : opened;
}

/** A result that is null says that there is none. */
export function sealCallOutcome(seal: Seal, callKey: string, outcome: ToolCallOutcome): ToolCallOutcome {
  const result = outcome.result === null ? null : sealJson(seal, outcome.result, `result ${callKey}`);
  return { ...outcome, result, ...(outcome.message ? { message: sealMessage(seal, outcome.message) } : {}) };
}

export function openCall(seal: Seal, call: ToolCallRecord): ToolCallRecord {
  return { ...call, result: call.result === null ? null : openJson(seal, call.result, `result ${call.callKey}`) };
}

type SealedOfGate = Pick<GateRecord, 'arguments' | 'reason' | 'votes' | 'spentDecisions' | 'edits' | 'questions'>;

/** What is asked for, why, and what people wrote about it. */
export function sealGate(seal: Seal, gate: GateRecord): GateRecord {
  const { arguments: asked, reason, votes, spentDecisions, edits, questions, ...open } = gate;
  const said = { ...(spentDecisions ? { spentDecisions } : {}), ...(edits ? { edits } : {}), ...(questions ? { questions } : {}) };
  const part: SealedOfGate = { arguments: asked, reason, votes, ...said };
  const plain = JSON.stringify(part);
  const sealed = seal.seal(plain, `gate ${gate.approvalId}`);
  if (sealed !== plain) return { ...open, arguments: sealed, reason: '', votes: [] };
  return { ...gate, arguments: sealJson(seal, asked, '') };
}

export function openGate(seal: Seal, gate: GateRecord): GateRecord {
  const { arguments: stored, ...open } = gate;
  if (typeof stored !== 'string' || !isMarked(stored)) return gate;
  const opened = seal.open(stored, `gate ${gate.approvalId}`);
  if (opened === ERASED) return { ...gate, arguments: ERASED, reason: ERASED, votes: [] };
  return isSealedText(stored) ? { ...open, ...(JSON.parse(opened) as SealedOfGate) } : { ...gate, arguments: opened };
}

/** What an entry says is committed to before it is sealed, so that its chain holds for whoever reads it opened, and for nobody's guess. */
export function sealAudit(seal: Seal, { data }: AuditEntry): Pick<AuditEntry, 'data' | 'commitment'> {
  const { digest, salt } = commitTo(JSON.parse(JSON.stringify(data)) as JsonValue);
  const kept = seal.seal(salt, 'audit salt');
  return { data: sealJson(seal, data, 'audit'), commitment: { digest, salt: kept === ERASED ? null : kept } };
}

export function openAudit<T extends AuditRecord>(seal: Seal, record: T): T {
  const { link } = record;
  // A fact is written by the store itself, and is as it stands.
  if (link?.dataDigest.startsWith('sha256:')) return record;
  const salt = link === null || link.salt === null ? null : seal.open(link.salt, 'audit salt');
  return { ...record, data: openJson(seal, record.data, 'audit'), link: link && { ...link, salt: salt === ERASED ? null : salt } };
}

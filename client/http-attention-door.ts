import { z } from 'zod';
import type { AttentionDoor, QuestionResult, QuestionToAsk } from './attention-door.ts';
import type { ClaimResult } from './gate-claim.ts';
import type { GateReport } from './gate-report.ts';
import { questionTakenSchema, questionUndecidedSchema } from './http/attention-schemas.ts';
import { gateSchema } from './http/schemas.ts';
import { HttpProblem, type HttpTransport, toTollgateError } from './http-transport.ts';

/** Questions and claims by way of a running API. A refusal is an answer here, and a problem on the wire. */
export function createHttpAttentionDoor(http: HttpTransport, pathOf: (approvalId: string) => string): AttentionDoor {
  const claim = async (approvalId: string, what: 'claim' | 'release'): Promise<ClaimResult> => {
    const answer = await orRefused(() => http.json(gateSchema, { method: 'POST', path: `${pathOf(approvalId)}/${what}` }));
    return ('refusal' in answer ? answer.refusal : { type: 'accepted', gate: answer.value as GateReport }) as ClaimResult;
  };
  return {
    ask: (approvalId, question) => ask(http, pathOf(approvalId), question),
    take: (approvalId) => claim(approvalId, 'claim'),
    release: (approvalId) => claim(approvalId, 'release'),
  };
}

async function ask(http: HttpTransport, path: string, question: QuestionToAsk): Promise<QuestionResult> {
  const actionDigest = question.actionDigest ?? (await digestNow(http, path));
  const schema = z.discriminatedUnion('type', [questionTakenSchema, questionUndecidedSchema]);
  const answer = await orRefused(() => http.json(schema, { method: 'POST', path: `${path}/questions`, body: { ...question, actionDigest } }));
  return ('refusal' in answer ? answer.refusal : answer.value) as QuestionResult;
}

async function digestNow(http: HttpTransport, path: string): Promise<string> {
  try {
    return (await http.json(gateSchema, { path })).actionDigest;
  } catch (error) {
    throw toTollgateError(error);
  }
}

async function orRefused<T>(call: () => Promise<T>): Promise<{ readonly value: T } | { readonly refusal: object }> {
  try {
    return { value: await call() };
  } catch (error) {
    if (!(error instanceof HttpProblem) || error.problem.reason === undefined) throw toTollgateError(error);
    const { reason, gateStatus = null, detail } = error.problem;
    return { refusal: { type: 'refused', reason, gateStatus, message: detail } };
  }
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { DecisionRefusal } from '../../contracts/approval.ts';
import { assertNever } from '../../contracts/failures.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { DecisionResult } from '../decision.ts';
import type { RunsDoor } from '../runs-door.ts';
import type { HttpApi } from './app.ts';
import { PROBLEM_TYPE, problem } from './problem.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import * as schemas from './schemas.ts';

const tags = ['approvals'];
/** A comment of four thousand characters, however they are written. */
const DECISION_LIMIT_BYTES = 65_536;

/** Everything under `/v1/approvals`. */
export function approvalRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/approvals',
      {
        config: { scope: 'read' },
        schema: {
          ...described(
            {
              operationId: 'listApprovals',
              summary: 'List the gates that wait for a person, oldest first.',
              description: 'The header Link names the next page, where there is one.',
              tags,
            },
            'read',
          ),
          querystring: schemas.approvalsQuery,
          response: { 200: json('The gates.', z.array(schemas.gateSchema)), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { limit, cursor } = request.query;
        const gates = await api.doorFor(request).pendingApprovals({ limit, ...(cursor === undefined ? {} : { after: cursor }) });
        const last = gates.at(-1);
        if (last && gates.length === limit)
          reply.header('link', `</v1/approvals?${new URLSearchParams({ limit: String(limit), cursor: last.approvalId })}>; rel="next"`);
        return reply.send(onTheWire(z.array(schemas.gateSchema), gates));
      },
    );
    app.get(
      '/v1/approvals/:approvalId',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'getApproval', summary: 'One gate, whatever became of it.', tags }, 'read'),
          params: schemas.approvalPath,
          response: { 200: json('The gate.', schemas.gateSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(schemas.gateSchema, await api.doorFor(request).approval(request.params.approvalId))),
    );
    app.post(
      '/v1/approvals/:approvalId/decisions',
      {
        config: { scope: 'decide' },
        bodyLimit: DECISION_LIMIT_BYTES,
        schema: {
          ...described(
            {
              operationId: 'decideApproval',
              summary: 'Approve, deny, change the arguments, or take your own decision back.',
              description: 'The API signs the decision for the key that sends it. An approval names the digest of the action.',
              tags,
            },
            'decide',
          ),
          params: schemas.approvalPath,
          body: schemas.decisionBody,
          response: {
            200: json('The decision counts.', schemas.decidedSchema),
            202: json('No worker answered in time; it may still arrive.', schemas.undecidedSchema),
            ...PROBLEMS,
          },
        },
      },
      async (request, reply) => {
        const result = await decide(api.doorFor(request), request.params.approvalId, request.body);
        if (result.type === 'accepted') return reply.code(200).send({ ...result });
        if (result.type === 'undecided') return reply.code(202).send({ ...result });
        const answer = toRefusal(result);
        return reply
          .code(answer.status as 409)
          .type(PROBLEM_TYPE)
          .send(answer);
      },
    );
    app.post(
      '/v1/approvals/:approvalId/signed-decisions',
      {
        config: { scope: 'decide' },
        bodyLimit: DECISION_LIMIT_BYTES,
        schema: {
          ...described(
            {
              operationId: 'signDecision',
              summary: 'Sign a decision without sending it.',
              description: 'For a plain Temporal signal; it counts for this gate and this digest alone, for ten minutes.',
              tags,
            },
            'decide',
          ),
          params: schemas.approvalPath,
          body: schemas.signBody,
          response: { 200: json('What the signal carries.', schemas.signedSignalSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { comment, ...decision } = request.body;
        const signed = await api.doorFor(request).signDecision(request.params.approvalId, { ...decision, ...commentOf({ comment }) });
        return reply.send(onTheWire(schemas.signedSignalSchema, signed));
      },
    );
  };
}

async function decide(door: RunsDoor, approvalId: string, decision: z.output<typeof schemas.decisionBody>): Promise<DecisionResult> {
  const digest = decision.actionDigest === undefined ? {} : { actionDigest: decision.actionDigest };
  switch (decision.verdict) {
    case 'approve':
      return await door.approve(approvalId, { actionDigest: decision.actionDigest, ...commentOf(decision) });
    case 'deny':
      return await door.deny(approvalId, { reason: decision.reason, ...digest });
    case 'edit':
      return await door.edit(approvalId, { actionDigest: decision.actionDigest, arguments: decision.arguments as JsonObject, ...commentOf(decision) });
    case 'withdraw':
      return await door.withdraw(approvalId, { ...digest, ...commentOf(decision) });
    default:
      return assertNever(decision);
  }
}

function commentOf({ comment }: { readonly comment?: string | undefined }): { readonly comment?: string } {
  return comment === undefined ? {} : { comment };
}

function toRefusal({ reason, gateStatus, message }: Extract<DecisionResult, { type: 'refused' }>) {
  return problem('decisionRefused', message, { status: REFUSAL_STATUS[reason] ?? 409, reason, gateStatus });
}

const REFUSAL_STATUS: Partial<Record<DecisionRefusal, number>> = {
  malformed: 400,
  wrongRole: 403,
  requesterMayNotDecide: 403,
  unknownGate: 404,
  overLimit: 403,
  notEditable: 409,
  invalidEdit: 422,
};

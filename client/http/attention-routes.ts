import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { HttpApi } from './app.ts';
import * as attention from './attention-schemas.ts';
import { defined } from './defined.ts';
import { PROBLEM_TYPE, problem } from './problem.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import * as schemas from './schemas.ts';

const tags = ['approvals'];
/** A question of two thousand characters, however they are written. */
const QUESTION_LIMIT_BYTES = 32_768;

const REFUSAL_STATUS: Readonly<Record<string, number>> = {
  malformed: 400,
  wrongRole: 403,
  requesterMayNotDecide: 403,
  unknownGate: 404,
  redactionBlocked: 422,
  tooManyQuestions: 429,
};

/** What an approver may do at an open gate beside deciding. */
export function attentionRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/approvals/:approvalId/questions',
      {
        config: { scope: 'decide' },
        bodyLimit: QUESTION_LIMIT_BYTES,
        schema: {
          ...described(
            {
              operationId: 'askAtGate',
              summary: 'Ask the agent something about what it wants to do.',
              description:
                'It answers from what it knows, without any tool, paid from the budget of its run. The answer stands at the gate, and decides nothing.',
              tags,
            },
            'decide',
          ),
          params: schemas.approvalPath,
          body: attention.questionBody,
          response: {
            200: json('The agent is asked. The answer comes as "answer" of the question at the gate.', attention.questionTakenSchema),
            202: json('No worker answered in time; the question may still arrive.', attention.questionUndecidedSchema),
            ...PROBLEMS,
          },
        },
      },
      async (request, reply) => {
        const result = await api.doorFor(request).ask(request.params.approvalId, defined(request.body));
        if (result.type === 'accepted') return reply.code(200).send({ ...result });
        if (result.type === 'undecided') return reply.code(202).send({ ...result });
        const answer = toRefusal(result.reason, result.message, result.gateStatus);
        return reply
          .code(answer.status as 409)
          .type(PROBLEM_TYPE)
          .send(answer);
      },
    );
    for (const claim of CLAIMS)
      app.post(
        `/v1/approvals/:approvalId/${claim.path}`,
        {
          config: { scope: 'decide' },
          schema: {
            ...described({ operationId: claim.operationId, summary: claim.summary, tags }, 'decide'),
            params: schemas.approvalPath,
            response: { 200: json(claim.answer, schemas.gateSchema), ...PROBLEMS },
          },
        },
        async (request, reply) => {
          const door = api.doorFor(request);
          const { approvalId } = request.params;
          const result = await (claim.path === 'claim' ? door.take(approvalId) : door.release(approvalId));
          if (result.type === 'accepted') return reply.send(onTheWire(schemas.gateSchema, result.gate));
          const answer = toRefusal(result.reason, result.message, null);
          return reply
            .code(answer.status as 409)
            .type(PROBLEM_TYPE)
            .send(answer);
        },
      );
  };
}

const CLAIMS = [
  {
    path: 'claim',
    operationId: 'takeGate',
    summary: 'Show others that you are looking at a gate, for ten minutes. It binds nobody.',
    answer: 'The gate, with who is looking at it.',
  },
  { path: 'release', operationId: 'releaseGate', summary: 'Give a gate back that you took.', answer: 'The gate, which nobody is looking at.' },
] as const;

function toRefusal(reason: string, message: string, gateStatus: string | null) {
  return problem('decisionRefused', message, { status: REFUSAL_STATUS[reason] ?? 409, reason, gateStatus });
}

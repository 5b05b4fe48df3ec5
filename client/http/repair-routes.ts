import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { RepairRefusal } from '../../contracts/repair.ts';
import type { RepairAsked, RepairOptions, RepairResult } from '../repair.ts';
import type { HttpApi } from './app.ts';
import { PROBLEM_TYPE, problem } from './problem.ts';
import * as repairs from './repair-schemas.ts';
import { described, json, PROBLEMS } from './route-schema.ts';
import { runPath } from './schemas.ts';

const tags = ['runs'];
/** A reason of a thousand characters, however they are written. */
const REPAIR_LIMIT_BYTES = 16_384;
const ANSWERS = {
  200: json('It was done, or holds already.', repairs.repairedSchema),
  202: json('No worker answered in time; it may still arrive.', repairs.repairUndecidedSchema),
  ...PROBLEMS,
};

/** What operators do to a run that goes on. The API signs it for whoever sends it; the worker asks for their role. */
export function repairRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    for (const [type, summary] of [
      ['pause', 'Let a run begin no new model call and no tool.'],
      ['resume', 'Let a paused run go on.'],
    ] as const)
      app.post(
        `/v1/runs/:agentRunId/${type}`,
        {
          config: { scope: 'repair' },
          bodyLimit: REPAIR_LIMIT_BYTES,
          schema: {
            ...described({ operationId: `${type}Run`, summary, tags }, 'repair'),
            params: runPath,
            body: repairs.pauseBody,
            response: ANSWERS,
          },
        },
        async (request, reply) => answer(reply, await make(api, request, { type, ...request.body })),
      );
    app.post(
      '/v1/runs/:agentRunId/repairs',
      {
        config: { scope: 'repair' },
        bodyLimit: REPAIR_LIMIT_BYTES,
        schema: {
          ...described({ operationId: 'repairRun', summary: 'Give a step up, have another model asked first, or raise the budget.', tags }, 'repair'),
          params: runPath,
          body: repairs.repairBody,
          response: ANSWERS,
        },
      },
      async (request, reply) => answer(reply, await make(api, request, request.body)),
    );
    app.post(
      '/v1/runs/:agentRunId/signed-repairs',
      {
        config: { scope: 'repair' },
        bodyLimit: REPAIR_LIMIT_BYTES,
        schema: {
          ...described(
            {
              operationId: 'signRepair',
              summary: 'Sign a repair without sending it.',
              description: 'For the input of a plain Temporal update; it counts for this very run alone, for ten minutes.',
              tags,
            },
            'repair',
          ),
          params: runPath,
          body: repairs.signRepairBody,
          response: { 200: json("The update's name and input.", repairs.signedRepairSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { asked, options } = split(request.body);
        return reply.send({ ...(await api.doorFor(request).signRepair(request.params.agentRunId, asked, options)) });
      },
    );
  };
}

type Body = z.output<typeof repairs.signRepairBody>;

async function make(api: HttpApi, request: FastifyRequest<{ Params: { agentRunId: string } }>, body: Body): Promise<RepairResult> {
  const { asked, options } = split(body);
  return await api.doorFor(request).repair(request.params.agentRunId, asked, options);
}

function split({ reason, repairId, ...asked }: Body): { readonly asked: RepairAsked; readonly options: RepairOptions } {
  return { asked, options: { reason, ...(repairId === undefined ? {} : { repairId }) } };
}

function answer(reply: FastifyReply, result: RepairResult) {
  if (result.type === 'undecided') return reply.code(202).send({ ...result });
  if (result.type !== 'refused') return reply.code(200).send({ ...result });
  const refused = problem('repairRefused', result.message, { status: REFUSAL_STATUS[result.reason] ?? 409, reason: result.reason });
  return reply.code(refused.status).type(PROBLEM_TYPE).send(refused);
}

const REFUSAL_STATUS: Partial<Record<RepairRefusal, number>> = {
  malformed: 400,
  unsignedNotAllowed: 403,
  badSignature: 403,
  wrongRole: 403,
  requesterMayNotDecide: 403,
  modelNotAllowed: 422,
  budgetTooLarge: 422,
};

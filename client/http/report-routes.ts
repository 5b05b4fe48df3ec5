import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Feedback } from '../feedback.ts';
import type { UsageQuery } from '../usage-report.ts';
import type { HttpApi } from './app.ts';
import * as schemas from './report-schemas.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import { runPath } from './schemas.ts';

/** `/v1/report` and `/v1/runs/{id}/feedback`: what was used, and what people thought of it. */
export function reportRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/report',
      {
        config: { scope: 'read' },
        schema: {
          ...described(
            { operationId: 'reportUsage', summary: 'Spend, tokens, latency, success, fallbacks, gates and feedback over a time.', tags: ['reports'] },
            'read',
          ),
          querystring: schemas.usageQuery,
          response: { 200: json('The report.', schemas.usageSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(schemas.usageSchema, await api.doorFor(request).usage(request.query as UsageQuery))),
    );
    app.post(
      '/v1/runs/:agentRunId/feedback',
      {
        // Whoever may see a run may say what they think of it.
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'giveFeedback', summary: 'Say what you think of a run, or of one of its steps.', tags: ['runs'] }, 'read'),
          params: runPath,
          body: schemas.feedbackBody,
          response: { 200: json('It is kept.', schemas.feedbackGivenSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send({ ...(await api.doorFor(request).feedback(request.params.agentRunId, request.body as Feedback)) }),
    );
  };
}

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RunReport } from '../run-report.ts';
import { hasEnded } from '../run-statuses.ts';
import type { HttpApi } from './app.ts';
import { toProblem } from './problem.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import { event, runEvents } from './run-events.ts';
import * as schemas from './schemas.ts';

const tags = ['runs'];

/** The routes that wait for a run: its result, and its events. */
export function waitRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/runs/:agentRunId/result',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'getRunResult', summary: 'The end of a run, waited for at most waitMs.', tags }, 'read'),
          params: schemas.runPath,
          querystring: schemas.resultQuery,
          response: {
            200: json('The run has ended.', schemas.runReportSchema),
            202: json('It goes on; ask again.', schemas.pendingResultSchema),
            ...PROBLEMS,
          },
        },
      },
      async (request, reply) => {
        const { agentRunId } = request.params;
        const report = await reportWithin(api, request, reply, request.query.waitMs);
        if (hasEnded(report)) return reply.code(200).send(onTheWire(schemas.runReportSchema, report));
        return reply.code(202).header('retry-after', '1').send({ agentRunId, status: report.status });
      },
    );
    app.get(
      '/v1/runs/:agentRunId/events',
      {
        config: { scope: 'read' },
        schema: {
          ...described(
            {
              operationId: 'followRun',
              summary: 'A run as server-sent events: status, step, ledger, gate, and at its end result.',
              description: 'A stream begins with the whole state. A comment comes at least every 15 seconds.',
              tags,
            },
            'read',
          ),
          params: schemas.runPath,
          querystring: schemas.eventsQuery,
          response: { 200: { description: 'The events.', content: { 'text/event-stream': { schema: z.string() } } }, ...PROBLEMS },
        },
      },
      (request, reply) => stream(api, request, reply, request.params.agentRunId, request.query),
    );
  };
}

/** The last report of a run that ends within `waitMs`, else the one that then holds. */
async function reportWithin(api: HttpApi, request: FastifyRequest, reply: FastifyReply, waitMs: number): Promise<RunReport> {
  const door = api.doorFor(request);
  const { agentRunId } = request.params as { readonly agentRunId: string };
  const first = await door.show(agentRunId);
  if (waitMs === 0 || hasEnded(first)) return first;
  const wait = takePlace(api, request, reply);
  let last = first;
  try {
    const { firstExecutionRunId } = first;
    const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(waitMs)]);
    for await (const report of door.follow({ agentRunId, firstExecutionRunId }, { signal })) last = report;
    return last;
  } finally {
    wait.end();
  }
}

async function stream(api: HttpApi, request: FastifyRequest, reply: FastifyReply, agentRunId: string, query: z.output<typeof schemas.eventsQuery>) {
  const door = api.doorFor(request);
  // What is not there is a problem, not a stream.
  const firstExecutionRunId = query.firstExecutionRunId ?? (await door.show(agentRunId)).firstExecutionRunId;
  const wait = takePlace(api, request, reply);
  const reports = door.follow({ agentRunId, firstExecutionRunId }, { signal: wait.signal });
  const mayListen = () => api.isStillWelcome(request, 'read');
  async function* text(): AsyncGenerator<string> {
    try {
      yield* runEvents(reports, { detail: query.detail, heartbeatMs: api.heartbeatMs, mayListen });
    } catch (error) {
      request.log.warn({ err: error }, 'an event stream broke');
      yield event('problem', toProblem(error, request.id));
    } finally {
      wait.end();
    }
  }
  return reply
    .type('text/event-stream')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(text(), { highWaterMark: 1 }));
}

/** A place among those who wait, given back when the answer is sent, the client is gone, or the API stops. */
export function takePlace(api: HttpApi, request: FastifyRequest, reply: FastifyReply): { readonly signal: AbortSignal; end(): void } {
  const giveBack = api.slots.take(api.callerOf(request).identity.name);
  const gone = new AbortController();
  const end = () => {
    giveBack();
    gone.abort();
  };
  reply.raw.once('close', end);
  return { signal: AbortSignal.any([gone.signal, api.stopping]), end };
}

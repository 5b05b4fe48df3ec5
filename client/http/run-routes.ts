import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RunFilter } from '../../domain/store/port.ts';
import type { RunReport } from '../run-report.ts';
import type { RunsDoor } from '../runs-door.ts';
import type { HttpApi } from './app.ts';
import { cursorOf, readCursor } from './cursor.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import { event, hasEnded, runEvents } from './run-events.ts';
import { toProblem } from './problem.ts';
import * as schemas from './schemas.ts';

/** A task as data comes with its recordings. */
const START_BODY_LIMIT_BYTES = 8_388_608;
const tags = ['runs'];

/** Everything under `/v1/runs`. */
export function runRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(startAndListRoutes(api));
    await app.register(readRoutes(api));
    await app.register(waitRoutes(api));
    await app.register(steerRoutes(api));
  };
}

function startAndListRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/runs',
      {
        config: { scope: 'start' },
        bodyLimit: START_BODY_LIMIT_BYTES,
        schema: {
          ...described({ operationId: 'startRun', summary: 'Start a run.', tags }, 'start'),
          body: schemas.startBody,
          response: { 201: json('The run goes on.', schemas.startedSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { task, input, ...options } = request.body;
        const started = await api.doorFor(request).start(task as Parameters<RunsDoor['start']>[0], input, defined(options));
        return reply
          .code(201)
          .header('location', `/v1/runs/${encodeURIComponent(started.agentRunId)}`)
          .send({ ...started });
      },
    );
    app.get(
      '/v1/runs',
      {
        config: { scope: 'read' },
        schema: {
          ...described(
            { operationId: 'listRuns', summary: 'List runs, newest first.', description: 'The header Link names the next page, where there is one.', tags },
            'read',
          ),
          querystring: schemas.listQuery,
          response: { 200: json('The runs.', z.array(schemas.runSummarySchema)), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { cursor, ...filter } = request.query;
        const runs = await api.doorFor(request).list({ ...(defined(filter) as RunFilter), ...(cursor === undefined ? {} : { olderThan: readCursor(cursor) }) });
        const last = runs.at(-1);
        if (last && runs.length === filter.limit) {
          const query = new URLSearchParams({ ...(defined(filter) as object), limit: String(filter.limit), cursor: cursorOf(last) });
          reply.header('link', `</v1/runs?${query}>; rel="next"`);
        }
        return reply.send(onTheWire(z.array(schemas.runSummarySchema), runs));
      },
    );
  };
}

function readRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/runs/:agentRunId',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'getRun', summary: 'What a run did, what it cost and what it waits for.', tags }, 'read'),
          params: schemas.runPath,
          response: { 200: json('The run.', schemas.runReportSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(schemas.runReportSchema, await api.doorFor(request).show(request.params.agentRunId))),
    );
    app.get(
      '/v1/runs/:agentRunId/description',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'describeRun', summary: 'What Temporal and the workflow itself say of a run.', tags }, 'read'),
          params: schemas.runPath,
          querystring: schemas.descriptionQuery,
          response: { 200: json('The description.', schemas.descriptionSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const options = { view: request.query.view === 'true' };
        const { runKey, startedAt, closedAt, view, ...rest } = await api.doorFor(request).describe(request.params.agentRunId, options);
        const answer = { ...rest, ...runKey, startedAt: startedAt.toISOString(), closedAt: closedAt?.toISOString() ?? null, view };
        return reply.send(onTheWire(schemas.descriptionSchema, answer));
      },
    );
  };
}

function waitRoutes(api: HttpApi): FastifyPluginAsyncZod {
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
      request.log.warn({ err: error, requestId: request.id }, 'an event stream broke');
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
function takePlace(api: HttpApi, request: FastifyRequest, reply: FastifyReply): { readonly signal: AbortSignal; end(): void } {
  const giveBack = api.slots.take(api.callerOf(request).identity.name);
  const gone = new AbortController();
  const end = () => {
    giveBack();
    gone.abort();
  };
  reply.raw.once('close', end);
  return { signal: AbortSignal.any([gone.signal, api.stopping]), end };
}

function steerRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/runs/:agentRunId/cancel',
      {
        config: { scope: 'start' },
        schema: {
          ...described({ operationId: 'cancelRun', summary: 'Ask a run to stop. What it was doing is finished or held first.', tags }, 'start'),
          params: schemas.runPath,
          response: { 200: json('It was asked, or has ended already.', schemas.cancellationSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { agentRunId } = request.params;
        const { type } = await api.doorFor(request).cancel(agentRunId);
        return reply.send({ agentRunId, cancellation: type });
      },
    );
    app.post(
      '/v1/runs/:agentRunId/messages',
      {
        config: { scope: 'start' },
        schema: {
          ...described({ operationId: 'addUserMessage', summary: 'Say something to a running run. It enters before the next model call.', tags }, 'start'),
          params: schemas.runPath,
          body: schemas.messageBody,
          response: { 202: json('It was sent.', schemas.messageSentSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { text, messageId } = request.body;
        const sent = await api.doorFor(request).addUserMessage(request.params.agentRunId, text, defined({ messageId }));
        return reply.code(202).send({ ...sent });
      },
    );
  };
}

/** Without the fields that are undefined. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}

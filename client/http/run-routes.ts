import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';
import type { RunFilter } from '../../domain/store/port.ts';
import { readTraceparent } from '../../telemetry/trace-ids.ts';
import type { RunsDoor } from '../runs-door.ts';
import type { HttpApi } from './app.ts';
import { cursorOf, readCursor } from './cursor.ts';
import { repairRoutes } from './repair-routes.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import * as schemas from './schemas.ts';
import { waitRoutes } from './wait-routes.ts';

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
    await app.register(repairRoutes(api));
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
        // One that a proxy got wrong is no reason to refuse a run.
        const header = request.headers.traceparent;
        const traceparent = options.traceparent ?? (typeof header === 'string' && readTraceparent(header) ? header : undefined);
        const started = await api.doorFor(request).start(task as Parameters<RunsDoor['start']>[0], input, defined({ ...options, traceparent }));
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
        const { cursor, parent, parentFirstExecutionRunId, ...filter } = request.query;
        const door = api.doorFor(request);
        const olderThan = cursor === undefined ? {} : { olderThan: readCursor(cursor) };
        const children = parent === undefined ? {} : { parent: await parentKey(door, parent, parentFirstExecutionRunId) };
        const runs = await door.list({ ...(defined(filter) as RunFilter), ...olderThan, ...children });
        const last = runs.at(-1);
        if (last && runs.length === filter.limit) {
          const query = new URLSearchParams({
            ...(defined({ ...filter, parent, parentFirstExecutionRunId }) as object),
            limit: String(filter.limit),
            cursor: cursorOf(last),
          });
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

async function parentKey(door: RunsDoor, agentRunId: string, firstExecutionRunId?: string): Promise<RunKey> {
  return { agentRunId: agentRunId as AgentRunId, firstExecutionRunId: firstExecutionRunId ?? (await door.show(agentRunId)).firstExecutionRunId };
}

/** Without the fields that are undefined. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HttpApi } from './app.ts';
import { defined } from './defined.ts';
import * as schemas from './money-schemas.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';

const tags = ['money'];

/** Money whose fate is open: `/v1/money`, `/v1/held`, `/v1/reconcile`, `/v1/bounds`, write-offs. */
export function moneyRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(readRoutes(api));
    await app.register(changeRoutes(api));
  };
}

function readRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/money',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'getOpenMoney', summary: 'How much money is held, written off, and beyond its bound.', tags }, 'read'),
          response: { 200: json('The amounts.', schemas.openMoneySchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(schemas.openMoneySchema, await api.doorFor(request).openMoney())),
    );
    app.get(
      '/v1/held',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'listHeldAttempts', summary: 'Attempts whose money is held, oldest first.', tags }, 'read'),
          querystring: schemas.heldQuery,
          response: { 200: json('The attempts.', z.array(schemas.heldSchema)), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const held = await api.doorFor(request).held(defined(request.query));
        return reply.send(onTheWire(z.array(schemas.heldSchema), held));
      },
    );
    app.get(
      '/v1/bounds',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'listBounds', summary: 'Bounds that overruns have raised, by model and endpoint.', tags }, 'read'),
          response: { 200: json('The bounds.', z.array(schemas.boundSchema)), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(z.array(schemas.boundSchema), await api.doorFor(request).bounds())),
    );
  };
}

function changeRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/reconcile',
      {
        config: { scope: 'start' },
        schema: {
          ...described({ operationId: 'reconcile', summary: 'Ask the providers about held money, and settle what they have a record of.', tags }, 'start'),
          body: schemas.reconcileBody,
          response: {
            200: json('What came of it.', schemas.reconciledSchema),
            202: json('It goes on, or waits for a worker.', schemas.reconcilingSchema),
            ...PROBLEMS,
          },
        },
      },
      async (request, reply) => {
        const result = await api.doorFor(request).reconcile({ ...defined(request.body), waitMs: schemas.RECONCILE_WAIT_MS });
        if (result.type === 'running') return reply.code(202).send({ ...result });
        return reply.code(200).send({ ...result });
      },
    );
    app.post(
      '/v1/attempts/:attemptId/write-off',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'writeOff', summary: 'Give up the held money of one attempt. A later charge is still settled.', tags }, 'decide'),
          params: schemas.attemptPath,
          body: schemas.reasonBody,
          response: { 200: json('It is written off.', schemas.writtenOffSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const report = await api.doorFor(request).writeOff(request.params.attemptId, request.body.reason);
        return reply.send({ ...report });
      },
    );
    app.post(
      '/v1/bounds/reset',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'resetBound', summary: 'Forget by how much overruns have raised a bound.', tags }, 'decide'),
          body: schemas.resetBoundBody,
          response: { 200: json('It is as computed again.', schemas.wasRaisedSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { model, endpoint, reason } = request.body;
        return reply.send({ wasRaised: await api.doorFor(request).resetBound(model, endpoint, reason) });
      },
    );
  };
}

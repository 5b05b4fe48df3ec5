import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HttpApi } from './app.ts';
import { defined } from './defined.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import * as schemas from './standing-schemas.ts';

/** Stop switches, standing approvals, delegations, and one decision over many gates. */
export function standingRoutes(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(stopRoutes(api));
    await app.register(grantRoutes(api));
    await app.register(delegationRoutes(api));
    await app.register(batchRoute(api));
  };
}

function stopRoutes(api: HttpApi): FastifyPluginAsyncZod {
  const tags = ['stops'];
  const stops = z.array(schemas.stopSchema);
  return async (app) => {
    app.get(
      '/v1/stops',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'listStops', summary: 'What is stopped, by whom and why.', tags }, 'read'),
          querystring: schemas.listQuery,
          response: { 200: json('The switches, newest first.', stops), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(stops, await api.doorFor(request).stops(filterOf(request.query)))),
    );
    app.post(
      '/v1/stops',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'throwStop', summary: 'Hold irreversible actions of a tool, a task, a tenant or all back, at once.', tags }, 'decide'),
          body: schemas.stopBody,
          response: { 201: json('It holds from now on.', schemas.stopSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { tool = null, task = null, tenant = null, ...rest } = request.body;
        return reply.code(201).send(onTheWire(schemas.stopSchema, await api.doorFor(request).throwStop({ tool, task, tenant, ...defined(rest) })));
      },
    );
    app.post(
      '/v1/stops/:stopId/resume',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'liftStop', summary: 'Lift a stop switch; what it held goes on by itself.', tags }, 'decide'),
          params: schemas.stopPath,
          body: schemas.reasonBody,
          response: { 200: json('It holds no more.', schemas.stopSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(schemas.stopSchema, await api.doorFor(request).liftStop(request.params.stopId, request.body.reason))),
    );
  };
}

function grantRoutes(api: HttpApi): FastifyPluginAsyncZod {
  const tags = ['standing approvals'];
  const { standingSchema } = schemas;
  const standings = z.array(standingSchema);
  return async (app) => {
    app.get(
      '/v1/standing-approvals',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'listStandingApprovals', summary: 'Standing approvals, with what is used of them.', tags }, 'read'),
          querystring: schemas.listQuery,
          response: { 200: json('Newest first.', standings), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(standings, await api.doorFor(request).standings(filterOf(request.query)))),
    );
    app.get(
      '/v1/standing-approvals/:standingId',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'getStandingApproval', summary: 'One standing approval, whatever became of it.', tags }, 'read'),
          params: schemas.standingPath,
          response: { 200: json('The standing approval.', standingSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(standingSchema, await api.doorFor(request).standing(request.params.standingId))),
    );
    app.post(
      '/v1/standing-approvals',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'grantStandingApproval', summary: 'Approve actions of one kind ahead, within limits.', tags }, 'decide'),
          body: schemas.standingBody,
          response: { 201: json('Signed for the key that sent it.', standingSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { tenant = api.callerOf(request).tenant ?? 'default', ...rest } = request.body;
        return reply.code(201).send(onTheWire(standingSchema, await api.doorFor(request).grantStanding({ tenant, ...defined(rest) })));
      },
    );
    app.post(
      '/v1/standing-approvals/:standingId/signatures',
      {
        config: { scope: 'decide' },
        schema: {
          ...described(
            { operationId: 'signStandingApproval', summary: 'Sign what somebody else granted, where a gate asks for more than one.', tags },
            'decide',
          ),
          params: schemas.standingPath,
          body: schemas.signatureBody,
          response: { 200: json('Signed.', standingSchema), ...PROBLEMS },
        },
      },
      async (request, reply) =>
        reply.send(onTheWire(standingSchema, await api.doorFor(request).signStanding(request.params.standingId, defined(request.body)))),
    );
    app.post(
      '/v1/standing-approvals/:standingId/revoke',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'revokeStandingApproval', summary: 'Take a standing approval back, for good.', tags }, 'decide'),
          params: schemas.standingPath,
          body: schemas.reasonBody,
          response: { 200: json('It permits nothing more.', standingSchema), ...PROBLEMS },
        },
      },
      async (request, reply) =>
        reply.send(onTheWire(standingSchema, await api.doorFor(request).revokeStanding(request.params.standingId, request.body.reason))),
    );
  };
}

function delegationRoutes(api: HttpApi): FastifyPluginAsyncZod {
  const tags = ['delegations'];
  const { delegationSchema } = schemas;
  const delegations = z.array(delegationSchema);
  return async (app) => {
    app.get(
      '/v1/delegations',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'listDelegations', summary: 'Who stands for whom, and until when.', tags }, 'read'),
          querystring: schemas.listQuery,
          response: { 200: json('Newest first.', delegations), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(delegations, await api.doorFor(request).delegations(filterOf(request.query)))),
    );
    app.post(
      '/v1/delegations',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'delegate', summary: 'Let somebody else decide where your role is asked for, for a time.', tags }, 'decide'),
          body: schemas.delegationBody,
          response: { 201: json('Signed for the key that sent it.', delegationSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { tenant = api.callerOf(request).tenant, ...rest } = request.body;
        return reply.code(201).send(onTheWire(delegationSchema, await api.doorFor(request).delegate({ tenant, ...defined(rest) })));
      },
    );
    app.post(
      '/v1/delegations/:delegationId/revoke',
      {
        config: { scope: 'decide' },
        schema: {
          ...described({ operationId: 'revokeDelegation', summary: 'End a delegation before its time.', tags }, 'decide'),
          params: schemas.delegationPath,
          body: schemas.reasonBody,
          response: { 200: json('It counts no more, nor do votes that were not used yet.', delegationSchema), ...PROBLEMS },
        },
      },
      async (request, reply) =>
        reply.send(onTheWire(delegationSchema, await api.doorFor(request).revokeDelegation(request.params.delegationId, request.body.reason))),
    );
  };
}

function batchRoute(api: HttpApi): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/approvals/decide-batch',
      {
        config: { scope: 'decide' },
        schema: {
          ...described(
            {
              operationId: 'decideBatch',
              summary: 'One decision over many gates.',
              description: 'Each gate is named with the digest of its action, and gets a signed decision and an answer of its own.',
              tags: ['approvals'],
            },
            'decide',
          ),
          body: schemas.batchBody,
          response: { 200: json('An answer for each, in the order asked.', schemas.batchSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(schemas.batchSchema, await api.doorFor(request).decideBatch(defined(request.body)))),
    );
  };
}

function filterOf({ all }: { readonly all?: 'true' | 'false' | undefined }) {
  return { all: all === 'true' };
}

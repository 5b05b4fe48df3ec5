import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { AgentRunId, ApprovalId } from '../../contracts/ids.ts';
import type { RunRecord, Store } from '../../domain/store/port.ts';
import { noSuchRun } from '../agent-client.ts';
import { reportGate } from '../gate-report.ts';
import { traceOf } from '../../telemetry/trace-ids.ts';
import type { Viewer } from '../gate-standing.ts';
import { type InboxReport, reportGateContext, reportInbox } from '../inbox-report.ts';
import { reportOverview } from '../overview-report.ts';
import { noSuchGate } from '../run-reader.ts';
import { reportTimeline } from '../timeline-report.ts';
import type { HttpApi, HttpApiOptions } from './app.ts';
import type { Caller } from './auth.ts';
import { delegatedTo, withDelegated } from './delegated.ts';
import * as schemas from './inbox-schemas.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import { approvalPath, MAX_LISTED, runPath } from './schemas.ts';
import { isTheirs } from './their-gates.ts';

const tags = ['inbox'];
const config = { scope: 'read' } as const;

type Options = Pick<HttpApiOptions, 'store' | 'temporalUi' | 'traceUrl'>;

/** What the inbox page reads beside what there is for everybody. Each caller sees its own tenant's. */
export function inboxApiRoutes(api: HttpApi, options: Options): FastifyPluginAsyncZod {
  const { store } = options;
  return async (app) => {
    app.get(
      '/v1/inbox',
      {
        config,
        schema: {
          ...described({ operationId: 'getInbox', summary: 'The gates that wait, most urgent first, and which of them wait for the caller.', tags }, 'read'),
          querystring: schemas.inboxQuery,
          response: { 200: json('The inbox.', schemas.inboxSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const caller = api.callerOf(request);
        return reply.send(onTheWire(schemas.inboxSchema, await inboxOf(store, caller, request.query.limit)));
      },
    );
    app.get(
      '/v1/approvals/:approvalId/context',
      {
        config,
        schema: {
          ...described({ operationId: 'getApprovalContext', summary: 'A gate in its run: why it asks, what was done and spent.', tags }, 'read'),
          params: approvalPath,
          response: { 200: json('The gate and its run.', schemas.gateContextSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { approvalId } = request.params;
        const caller = api.callerOf(request);
        const viewer = await viewerOf(store, caller);
        const gate = await store.findGate(approvalId as ApprovalId);
        const run = gate && (await store.getRun(gate.runKey));
        if (!gate || !isVisible(run, caller) || !isTheirs(seerOf(caller, viewer), reportGate(gate), Date.now())) throw noSuchGate(approvalId);
        return reply.send(onTheWire(schemas.gateContextSchema, await reportGateContext(store, viewer, gate, run)));
      },
    );
    await app.register(runAndOverviewRoutes(api, options));
  };
}

function runAndOverviewRoutes(api: HttpApi, { store, temporalUi, traceUrl }: Options): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/runs/:agentRunId/timeline',
      {
        config,
        schema: {
          ...described({ operationId: 'getTimeline', summary: 'When each attempt, tool call and gate of a run began and ended.', tags }, 'read'),
          params: runPath,
          response: { 200: json('The timeline.', schemas.timelineSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { agentRunId } = request.params;
        const run = await store.latestRun(agentRunId as AgentRunId);
        if (!isVisible(run, api.callerOf(request))) throw noSuchRun(agentRunId);
        const temporalUrl = temporalUi
          ? `${temporalUi.url}/namespaces/${encodeURIComponent(temporalUi.namespace)}/workflows/${encodeURIComponent(agentRunId)}`
          : null;
        const links = { temporalUrl, traceUrl: traceUrl?.replaceAll('{traceId}', traceOf(run).traceId) ?? null };
        return reply.send(onTheWire(schemas.timelineSchema, { ...(await reportTimeline(store, run)), ...links }));
      },
    );
    app.get(
      '/v1/overview',
      {
        config,
        schema: {
          ...described({ operationId: 'getOverview', summary: 'What was spent and how long gates waited, by day, task and tenant.', tags }, 'read'),
          querystring: schemas.overviewQuery,
          response: { 200: json('The overview.', schemas.overviewSchema), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const overview = await reportOverview(store, { ...request.query, ...tenantOf(api.callerOf(request)) });
        return reply.send(onTheWire(schemas.overviewSchema, overview));
      },
    );
  };
}

/** What waits, as far as it is the caller's: filtered before it is cut, so that nothing of others takes a place of theirs. */
async function inboxOf(store: Store, caller: Caller, limit: number): Promise<InboxReport> {
  const viewer = await viewerOf(store, caller);
  if (!caller.isPerson) return await reportInbox(store, viewer, { limit, ...tenantOf(caller) });
  const all = await reportInbox(store, viewer, { limit: MAX_LISTED, ...tenantOf(caller) });
  const seer = seerOf(caller, viewer);
  const gates = all.gates.filter(({ gate }) => isTheirs(seer, gate, Date.now()));
  return { ...all, gates: gates.slice(0, limit), total: gates.length };
}

async function viewerOf(store: Store, caller: Caller): Promise<Viewer> {
  return { identity: caller.identity, requesterMayDecide: caller.isLocal, standsFor: await delegatedTo(store, caller) };
}

function seerOf(caller: Caller, { standsFor = [] }: Viewer): Caller {
  return withDelegated(caller, standsFor);
}

function tenantOf({ tenant }: Caller): { readonly tenant?: string } {
  return tenant === null ? {} : { tenant };
}

function isVisible(run: RunRecord | null, { tenant }: Caller): run is RunRecord {
  return run !== null && (tenant === null || run.tenant === tenant);
}

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import { type AuditSelection, type ExportCursor, exportPage, MAX_PAGE_ROWS } from '../../domain/audit/export.ts';
import { noSuchRun } from '../agent-client.ts';
import type { HttpApi, HttpApiOptions } from './app.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';

const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const auditQuery = z.object({
  run: z.string().min(1).max(1_000).optional(),
  tenant: z.string().min(1).max(200).optional(),
  from: moment.optional(),
  to: moment.optional(),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_ROWS).default(MAX_PAGE_ROWS),
});
const auditPage = z.object({
  selection: z.record(z.string(), z.unknown()),
  lines: z.array(z.record(z.string(), z.unknown())),
  next: z.string().nullable(),
});
const cursorSchema = z.tuple([z.int().min(-1), z.int().min(0)]);

/** `/v1/audit`: the lines of an export in pages. A caller of one tenant gets that tenant's, and the anchors, which name nobody. */
export function auditRoutes(api: HttpApi, { store }: Pick<HttpApiOptions, 'store'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/audit',
      {
        config: { scope: 'read' },
        schema: {
          ...described(
            {
              operationId: 'exportAudit',
              summary: 'Export the audit in pages.',
              description:
                'Write {"tollgateAudit":1,"exportedAtMs":…,"selection":…}, every line of every page, and {"end":{"rows":…}} into a file, one a line, and "tollgate audit verify --file" checks it.',
              tags: ['audit'],
            },
            'read',
          ),
          querystring: auditQuery,
          response: { 200: json('One page.', auditPage), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { run, tenant, from, to, cursor, limit } = request.query;
        const own = api.callerOf(request).tenant;
        // Another tenant's audit is not there.
        const selection: AuditSelection = {
          ...(run === undefined ? {} : { runKey: await runKeyOf(store, run, own) }),
          ...tenantOf(own, tenant),
          ...(from === undefined ? {} : { fromMs: from }),
          ...(to === undefined ? {} : { toMs: to }),
        };
        const { lines, next } = await exportPage(store, selection, cursor === undefined ? null : readCursor(cursor), limit);
        return reply.send(onTheWire(auditPage, { selection, lines, next: next && writeCursor(next) }));
      },
    );
  };
}

function tenantOf(own: string | null, asked: string | undefined): { readonly tenant?: string } {
  if (own !== null && asked !== undefined && asked !== own) throw new TollgateError('forbidden', 'This key is of another tenant. Leave "tenant" away.');
  const tenant = own ?? asked;
  return tenant === undefined ? {} : { tenant };
}

async function runKeyOf(store: HttpApiOptions['store'], agentRunId: string, own: string | null) {
  const run = await store.latestRun(agentRunId as AgentRunId);
  if (!run || (own !== null && run.tenant !== own)) throw noSuchRun(agentRunId);
  return run.runKey;
}

function writeCursor({ chain, after }: ExportCursor): string {
  return Buffer.from(JSON.stringify([chain, after]), 'utf8').toString('base64url');
}

function readCursor(cursor: string): ExportCursor {
  try {
    const [chain, after] = cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    return { chain, after };
  } catch {
    throw new TollgateError('invalidInput', 'cursor: it is none that a page gave. Take it from "next" of the page before.');
  }
}

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import { type AuditSelection, type ExportCursor, exportAudit, exportPage, MAX_PAGE_ROWS } from '../../domain/audit/export.ts';
import { noSuchRun } from '../agent-client.ts';
import type { HttpApi, HttpApiOptions } from './app.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import { takePlace } from './wait-routes.ts';

const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const selectionQuery = z.object({
  run: z.string().min(1).max(1_000).optional(),
  tenant: z.string().min(1).max(200).optional(),
  from: moment.optional(),
  to: moment.optional(),
});
const auditQuery = selectionQuery.extend({
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_ROWS).default(MAX_PAGE_ROWS),
});
const auditPage = z.object({
  selection: z.record(z.string(), z.unknown()),
  lines: z.array(z.record(z.string(), z.unknown())),
  next: z.string().nullable(),
});
const JSON_LINES = 'application/x-ndjson';
const cursorSchema = z.tuple([z.int().min(-1), z.int().min(0)]);

/** `/v1/audit`: the lines of an export in pages; `/v1/audit/export`: the whole of it as a stream. A caller of one tenant gets that tenant's, and the anchors, which name nobody. */
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
        const { cursor, limit } = request.query;
        const selection = await selectionOf(request, request.query);
        const { lines, next } = await exportPage(store, selection, cursor === undefined ? null : readCursor(cursor), limit);
        return reply.send(onTheWire(auditPage, { selection, lines, next: next && writeCursor(next) }));
      },
    );
    app.get(
      '/v1/audit/export',
      {
        config: { scope: 'read' },
        schema: {
          ...described(
            {
              operationId: 'streamAudit',
              summary: 'Export the audit as JSON lines, from its header to its end.',
              description: '"tollgate audit verify --file" checks it. A stream that breaks has no end, and is found to be cut short.',
              tags: ['audit'],
            },
            'read',
          ),
          querystring: selectionQuery,
          response: { 200: { description: 'The lines.', content: { [JSON_LINES]: { schema: z.string() } } }, ...PROBLEMS },
        },
      },
      async (request, reply) => {
        return await sendExport(request, reply, await selectionOf(request, request.query));
      },
    );
  };

  /** Reads page by page, as fast as it is taken, in a place among those who wait. */
  function sendExport(request: FastifyRequest, reply: FastifyReply, selection: AuditSelection) {
    const wait = takePlace(api, request, reply);
    async function* text(): AsyncGenerator<string> {
      let lines = 0;
      try {
        for await (const line of exportAudit(store, selection, await store.nowMs())) {
          // A key that is revoked meanwhile reads no further.
          const isPageRead = lines > 0 && lines % MAX_PAGE_ROWS === 0;
          if (wait.signal.aborted || (isPageRead && !(await api.isStillWelcome(request, 'read')))) return;
          lines += 1;
          yield `${JSON.stringify(line)}\n`;
        }
      } finally {
        wait.end();
      }
    }
    return reply.type(JSON_LINES).header('x-accel-buffering', 'no').send(Readable.from(text()));
  }

  /** Another tenant's audit is not there. */
  async function selectionOf(request: FastifyRequest, { run, tenant, from, to }: z.output<typeof selectionQuery>): Promise<AuditSelection> {
    const own = api.callerOf(request).tenant;
    return {
      ...(run === undefined ? {} : { runKey: await runKeyOf(store, run, own) }),
      ...tenantOf(own, tenant),
      ...(from === undefined ? {} : { fromMs: from }),
      ...(to === undefined ? {} : { toMs: to }),
    };
  }
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

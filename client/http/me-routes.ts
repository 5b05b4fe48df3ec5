import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AuditStore } from '../../domain/store/port.ts';
import type { HttpApi } from './app.ts';
import { json, PROBLEMS } from './route-schema.ts';
import { meSchema } from './schemas.ts';
import type { Sessions } from './session.ts';

const tags = ['people'];
const security = [{ apiKey: [] }];

/** `GET /v1/me`: who the caller is here. `POST /logout`: ends the browser's session. */
export function meRoutes(api: HttpApi, sessions: Sessions | null, audit: Pick<AuditStore, 'appendAudit'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/me',
      {
        config: { scope: 'any' },
        schema: {
          operationId: 'getMe',
          summary: 'Who the caller is, and what they may do.',
          tags,
          security,
          response: { 200: json('The caller.', meSchema), ...PROBLEMS },
        },
      },
      async (request) => {
        const { identity, scopes, tenant, session, isPerson } = api.callerOf(request);
        const { name, roles, displayName = name } = identity;
        const ofSession = session ? { csrfToken: session.csrfToken, sessionEndsAt: new Date(session.expiresAtMs).toISOString() } : {};
        return { name, displayName, roles: [...roles], tenant, scopes: [...scopes], signedIn: isPerson === true, ...ofSession };
      },
    );
    app.post(
      '/logout',
      {
        config: { scope: 'any' },
        schema: { hide: true, response: { 204: z.null() } },
      },
      async (request, reply) => {
        const { session, identity } = api.callerOf(request);
        if (session && sessions) {
          await sessions.end(request);
          await audit.appendAudit({ type: 'person.signedOut', runKey: null, actor: identity.name, data: {} });
        }
        return reply.code(204).send(null);
      },
    );
  };
}

import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { LoginFlow } from '../../domain/identity/port.ts';
import type { AuditStore } from '../../domain/store/port.ts';
import { returnPath } from './return-path.ts';
import type { Sessions } from './session.ts';

const CALLBACK = '/login/callback';

export interface LoginOptions {
  readonly flow: LoginFlow;
  readonly sessions: Sessions;
  /** Where browsers reach this API. Never taken from a request. */
  readonly publicUrl: () => string;
  readonly audit: Pick<AuditStore, 'appendAudit'>;
}

/** `GET /login`, `GET /login/callback`: a person logs in by browser. `POST /logout` is `logoutRoute`. */
export function loginRoutes({ flow, sessions, publicUrl, audit }: LoginOptions): FastifyPluginAsyncZod {
  const query = z.object({ returnTo: z.string().max(10_000).optional() });
  return async (app) => {
    const route = { config: { scope: 'public', isLogin: true } } as const;
    app.get('/login', { ...route, schema: { hide: true, querystring: query } }, async (request, reply) => {
      const { url, pending } = await flow.begin(`${publicUrl()}${CALLBACK}`);
      sessions.remember(request, { ...pending, returnTo: returnPath(request.query.returnTo) });
      return redirect(reply, url);
    });
    app.get(CALLBACK, { ...route, schema: { hide: true } }, async (request, reply) => {
      const login = await sessions.takeLogin(request);
      if (!login)
        throw new TollgateError(
          'unauthenticated',
          'This browser has no login under way: it took longer than ten minutes, was finished before, or was begun elsewhere. Begin again at /login.',
        );
      const query = request.url.slice(request.url.indexOf('?') + 1);
      const person = await flow.finish(`${publicUrl()}${CALLBACK}?${query}`, login);
      sessions.begin(request, person);
      await audit.appendAudit({ type: 'person.signedIn', runKey: null, actor: person.name, data: { roles: [...person.roles], tenant: person.tenant } });
      return redirect(reply, login.returnTo);
    });
  };
}

function redirect(reply: FastifyReply, url: string) {
  return reply.header('cache-control', 'no-store').redirect(url, 303);
}

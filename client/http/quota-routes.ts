import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { reportQuotas } from '../quota-report.ts';
import type { HttpApi, HttpApiOptions } from './app.ts';
import { described, json, onTheWire, PROBLEMS } from './route-schema.ts';
import { quotaSchema } from './schemas.ts';

/** `/v1/quotas`: what tenants and features may use, and have used in the window under way. */
export function quotaRoutes(api: HttpApi, { store }: Pick<HttpApiOptions, 'store'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/quotas',
      {
        config: { scope: 'read' },
        schema: {
          ...described({ operationId: 'listQuotas', summary: 'List the quotas with what is used of them now.', tags: ['quotas'] }, 'read'),
          response: { 200: json('The quotas.', z.array(quotaSchema)), ...PROBLEMS },
        },
      },
      async (request, reply) => reply.send(onTheWire(z.array(quotaSchema), await reportQuotas(store, api.callerOf(request).tenant))),
    );
  };
}

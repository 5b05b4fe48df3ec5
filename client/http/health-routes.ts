import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { HttpApiOptions } from './app.ts';
import { json } from './route-schema.ts';
import { healthSchema, readinessSchema } from './schemas.ts';

/** Anybody may ask, so that nobody may make us ask Temporal more often than this, in milliseconds. */
const FRESH_MS = 1_000;

/** `/healthz`: the process lives. `/readyz`: Temporal and the store answer. */
export function healthRoutes({ store, isTemporalUp }: Pick<HttpApiOptions, 'store' | 'isTemporalUp'>): FastifyPluginAsyncZod {
  let last: { readonly atMs: number; readonly state: Promise<{ readonly temporal: boolean; readonly store: boolean }> } | null = null;
  const look = async () => {
    const [temporal, isStoreUp] = await Promise.all([isTemporalUp().catch(() => false), store.listApiKeys(1).then(Boolean, () => false)]);
    return { temporal, store: isStoreUp };
  };
  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { scope: 'public' },
        schema: { operationId: 'getHealth', summary: 'Whether the process lives.', tags: ['health'], response: { 200: json('It does.', healthSchema) } },
      },
      async () => ({ status: 'ok' }),
    );
    app.get(
      '/readyz',
      {
        config: { scope: 'public' },
        schema: {
          operationId: 'getReadiness',
          summary: 'Whether Temporal and the store can be reached.',
          tags: ['health'],
          response: { 200: json('Both can.', readinessSchema), 503: json('One of them can not.', readinessSchema) },
        },
      },
      async (_request, reply) => {
        if (!last || Date.now() - last.atMs > FRESH_MS) last = { atMs: Date.now(), state: look() };
        const state = await last.state;
        const isReady = state.temporal && state.store;
        return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'notReady', ...state });
      },
    );
  };
}

import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Caller, demandScope } from './auth.ts';

/** A payload in the JSON of Temporal's codec servers: bytes in base64. */
const payloadSchema = z.object({ metadata: z.record(z.string(), z.base64()).nullish(), data: z.base64().nullish() });
const payloadsSchema = z.object({ payloads: z.array(payloadSchema).max(10_000).default([]) });
/** A page of a history at once. */
const BODY_LIMIT_BYTES = 8 * 1_048_576;

interface PayloadBytes {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
}

/** What the workers' payload codec offers to people's tools. */
export interface RemoteCodec {
  encode(payloads: PayloadBytes[]): Promise<PayloadBytes[]>;
  decode(payloads: PayloadBytes[]): Promise<PayloadBytes[]>;
  /** Whose key it was sealed under; null where it was not, or nobody knows. */
  sealedFor(payload: PayloadBytes): Promise<string | null>;
}

export interface CodecRouteOptions {
  readonly codec: RemoteCodec;
  /** The Temporal Web UI that may call from a browser. */
  readonly origin: string;
  /** `isFromUi`: a browser sent it from that UI's page, which then counts as this machine's own. */
  callerOf(request: FastifyRequest, isFromUi: boolean): Promise<Caller>;
}

/**
 * Temporal's codec server: `POST /codec/encode` and `/codec/decode`, for the Web UI and the Temporal CLI. Payloads of
 * tenants that the caller may not know of come back as they were sent.
 */
export function codecRoutes({ codec, origin, callerOf }: CodecRouteOptions): FastifyPluginAsyncZod {
  return async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.origin !== origin) return;
      reply.headers({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'origin' });
    });
    app.options('/codec/*', { config: { scope: 'public' }, schema: { hide: true } }, async (_request, reply) =>
      reply
        .headers({
          'access-control-allow-methods': 'POST',
          'access-control-allow-headers': 'authorization, content-type, x-namespace',
          'access-control-max-age': '600',
        })
        .code(204)
        .send(),
    );
    const route = { config: { scope: 'public' }, bodyLimit: BODY_LIMIT_BYTES, schema: { hide: true, body: payloadsSchema } } as const;
    app.post('/codec/decode', route, async (request) => {
      const caller = await callerOf(request, request.headers.origin === origin);
      demandScope(caller, 'read');
      return toWire(await Promise.all(fromWire(request.body).map((payload) => decodeFor(caller, payload))));
    });
    app.post('/codec/encode', route, async (request) => {
      const caller = await callerOf(request, request.headers.origin === origin);
      demandScope(caller, 'start');
      return toWire(await codec.encode(fromWire(request.body)));
    });
  };

  async function decodeFor({ tenant }: Caller, payload: PayloadBytes): Promise<PayloadBytes> {
    if (tenant !== null && (await codec.sealedFor(payload)) !== tenant) return payload;
    return (await codec.decode([payload]))[0] ?? payload;
  }
}

function fromWire({ payloads }: z.output<typeof payloadsSchema>): PayloadBytes[] {
  const bytes = (text: string) => Buffer.from(text, 'base64');
  return payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, bytes(value)])),
    data: bytes(data ?? ''),
  }));
}

function toWire(payloads: readonly PayloadBytes[]) {
  const text = (value: Uint8Array) => Buffer.from(value).toString('base64');
  return {
    payloads: payloads.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).flatMap(([name, value]) => (name === 'codec' ? [] : [[name, text(value)]]))),
      data: text(data ?? Buffer.of()),
    })),
  };
}

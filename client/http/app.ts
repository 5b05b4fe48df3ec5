import { isIP } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { DEFAULT_RATES, type RateLimits } from '../../config/identity-schema.ts';
import { invariant, TollgateError } from '../../contracts/failures.ts';
import type { LoginFlow, TokenVerifier } from '../../domain/identity/port.ts';
import type { ApiKeyScope, Store } from '../../domain/store/port.ts';
import type { Identity } from '../decision.ts';
import type { RunsDoor } from '../runs-door.ts';
import { attentionRoutes } from './attention-routes.ts';
import { auditRoutes } from './audit-routes.ts';
import { approvalRoutes } from './approval-routes.ts';
import { type AuthPorts, authenticate, type Caller, demandScope, isLoopbackHost, type RequestOrigin } from './auth.ts';
import { bindDoor } from './bound-door.ts';
import { type CodecRouteOptions, codecRoutes } from './codec-routes.ts';
import { demandShallow } from './body-depth.ts';
import { healthRoutes } from './health-routes.ts';
import { inboxApiRoutes } from './inbox-api-routes.ts';
import { inboxRoutes } from './inbox-routes.ts';
import { loginRoutes } from './login-routes.ts';
import { meRoutes } from './me-routes.ts';
import { registerOpenapi } from './openapi.ts';
import { PROBLEM_TYPE, problem, scrubbed, toProblem } from './problem.ts';
import { type Limiter, registerHeaders, registerLimits } from './protection.ts';
import { HEARTBEAT_MS } from './run-events.ts';
import { moneyRoutes } from './money-routes.ts';
import { quotaRoutes } from './quota-routes.ts';
import { reportRoutes } from './report-routes.ts';
import { runRoutes } from './run-routes.ts';
import { registerSessions } from './session.ts';
import { standingRoutes } from './standing-routes.ts';
import { WAIT_LIMITS, WaitSlots } from './wait-slots.ts';

const BODY_LIMIT_BYTES = 1_048_576;
/** Longer than a request may wait for a result, and than the silence between two heartbeats. */
const IDLE_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_PARAM_LENGTH = 4_000;
const MAX_CONNECTIONS = 2_000;

export interface HttpApiOptions {
  readonly store: Store;
  /** The door of one person: runs are started in that name, and decisions signed for it. */
  readonly doorOf: (identity: Identity) => RunsDoor;
  readonly isTemporalUp: () => Promise<boolean>;
  /** Whom a request without a key may act as, from this machine; null where the configuration does not allow it. */
  readonly developer: Identity | null;
  readonly developerBesideKeys: boolean;
  /** Opens sealed payloads for the Temporal Web UI at `origin` and the Temporal CLI. */
  readonly codec?: Pick<CodecRouteOptions, 'codec' | 'origin'>;
  /** The Temporal Web UI, to which the page links. */
  readonly temporalUi?: { readonly url: string; readonly namespace: string };
  /** Where a trace is shown, with `{traceId}` in the place of its id. */
  readonly traceUrl?: string;
  /** Verifies people; absent where no issuer is configured. */
  readonly people?: People;
  /** Requests in a minute. */
  readonly rates?: RateLimits;
  /** Proxies whose word on where a request came from is believed. */
  readonly trustedProxies?: readonly string[];
  readonly logger?: FastifyBaseLogger;
  /** Masks what redaction finds in the text of a problem: it may repeat what the caller sent. */
  readonly scrub: (text: string) => string;
  readonly limits?: { readonly total: number; readonly perCaller: number };
  readonly heartbeatMs?: number;
}

/** How people come in: by access token, and by browser where `login` is there. */
export interface People {
  readonly tokens: TokenVerifier;
  readonly login?: { readonly flow: LoginFlow; readonly sessionKeys: readonly Uint8Array[]; readonly lifetimeMs: number; readonly nowMs?: () => number };
  /** Where browsers reach this API; absent: at the address it listens at, on this machine. */
  readonly publicUrl?: string;
}

/** What the routes work with. */
export interface HttpApi {
  /** Runs as the sender of a request may know of them. */
  doorFor(request: FastifyRequest): RunsDoor;
  callerOf(request: FastifyRequest): Caller;
  /** Whether the sender of a request would still be let in. */
  isStillWelcome(request: FastifyRequest, scope: ApiKeyScope): Promise<boolean>;
  readonly slots: WaitSlots;
  readonly heartbeatMs: number;
  /** Aborted when the API stops. */
  readonly stopping: AbortSignal;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for the route; `any` only to be known, `public` nothing. Every route says it. */
    scope?: ApiKeyScope | 'any' | 'public';
    /** Counted as a login as well. */
    isLogin?: boolean;
  }
}

/** The API as a server that is not listening yet. Closing it ends every stream and long poll. */
export async function createHttpApi(options: HttpApiOptions): Promise<FastifyInstance> {
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : {}),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    connectionTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    trustProxy: options.trustedProxies && options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => sendProblem(options, error, request, reply),
    clientErrorHandler: (_error, socket) => {
      if (socket.writable) socket.end(RAW_BAD_REQUEST);
    },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, request, reply) => sendProblem(options, error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const detail = options.scrub(`There is no ${request.method} ${request.url.split('?')[0]?.slice(0, 200)} here. /v1/openapi.json lists what there is.`);
    return reply
      .code(404)
      .type(PROBLEM_TYPE)
      .send(JSON.stringify(problem('notFound', detail)));
  });
  const { people, rates = DEFAULT_RATES } = options;
  const isHttps = people?.publicUrl?.startsWith('https:') ?? false;
  const publicUrl = () => people?.publicUrl ?? urlOf(app);
  await registerHeaders(app, isHttps);
  const limiter = await registerLimits(app, rates);
  const { login } = people ?? {};
  const sessions = login ? await registerSessions(app, { ...login, keys: login.sessionKeys, isHttps, ended: options.store }) : null;
  const callerOf = async (request: FastifyRequest, origin = originOf(request)) =>
    authenticate(authPorts(app, options, publicUrl), { ...origin, session: (await sessions?.read(request)) ?? null });
  addHooks(app, limiter, callerOf);

  const api = toApi(app, options, callerOf);
  await registerOpenapi(app);
  await app.register(healthRoutes(options));
  await app.register(runRoutes(api));
  await app.register(approvalRoutes(api));
  await app.register(attentionRoutes(api));
  await app.register(standingRoutes(api));
  await app.register(moneyRoutes(api));
  await app.register(quotaRoutes(api, options));
  await app.register(auditRoutes(api, options));
  await app.register(inboxApiRoutes(api, options));
  await app.register(inboxRoutes());
  await app.register(meRoutes(api, sessions, options.store));
  if (login && sessions) await app.register(loginRoutes({ flow: login.flow, sessions, publicUrl, audit: options.store }));
  await app.register(reportRoutes(api));
  if (options.codec) {
    const codecCaller = (request: FastifyRequest, isFromUi: boolean) => callerOf(request, isFromUi ? withoutOrigin(request) : originOf(request));
    await app.register(codecRoutes({ ...options.codec, callerOf: codecCaller }));
  }
  return app;
}

type FindsCaller = (request: FastifyRequest) => Promise<Caller>;

const callers = new WeakMap<FastifyRequest, Caller>();

function toApi(app: FastifyInstance, options: HttpApiOptions, find: FindsCaller): HttpApi {
  const stopping = new AbortController();
  app.addHook('preClose', async () => stopping.abort());
  const callerOf = (request: FastifyRequest): Caller => {
    const caller = callers.get(request);
    invariant(caller, 'a request that reached its route has a caller');
    return caller;
  };
  return {
    callerOf,
    doorFor: (request) => bindDoor(options.doorOf(callerOf(request).identity), options.store, callerOf(request)),
    async isStillWelcome(request, scope) {
      try {
        demandScope(await find(request), scope);
        return true;
      } catch {
        return false;
      }
    },
    slots: new WaitSlots(options.limits ?? WAIT_LIMITS),
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
    stopping: stopping.signal,
  };
}

function addHooks(app: FastifyInstance, limiter: Limiter, find: FindsCaller): void {
  app.addHook('onRoute', ({ config, url }) => {
    invariant(config?.scope, `the route ${url} says who may use it`);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    await limiter.ofAddress(request);
    const scope = request.routeOptions.config.scope;
    if (scope === undefined || scope === 'public') return;
    const caller = await find(request);
    callers.set(request, caller);
    await limiter.ofCaller(request, caller);
    if (scope !== 'any') demandScope(caller, scope);
  });
  app.addHook('preValidation', async (request) => demandShallow(request.body));
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request;
    const caller = callers.get(request)?.identity.name ?? null;
    request.log.info({ method, route: routeOptions.url ?? null, status: reply.statusCode, ms: Math.round(reply.elapsedTime), caller }, 'request');
  });
}

function authPorts(app: FastifyInstance, { store, developer, developerBesideKeys, people }: HttpApiOptions, publicUrl: () => string): AuthPorts {
  const isListeningLocally = () => app.addresses().every((at) => typeof at === 'object' && isLoopbackHost(at.address));
  const ofPeople = people ? { tokens: people.tokens, publicOrigin: () => new URL(publicUrl()).origin } : {};
  return { keys: store, developer, developerBesideKeys, isListeningLocally, ...ofPeople };
}

function originOf(request: FastifyRequest): RequestOrigin {
  return { method: request.method, headers: request.headers, remoteAddress: request.socket.remoteAddress };
}

/** As if the page were our own. */
function withoutOrigin(request: FastifyRequest): RequestOrigin {
  const { origin: _, 'sec-fetch-site': __, ...headers } = request.headers;
  return { ...originOf(request), headers };
}

function sendProblem({ scrub, people }: HttpApiOptions, error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const found = scrubbed(toProblem(error, request.id), scrub);
  const answer = found.status === 401 && people?.login ? { ...found, login: '/login' } : found;
  if (answer.status >= 500 && !(error instanceof TollgateError)) request.log.error({ err: error }, 'request failed');
  reply.headers(SECURITY_HEADERS);
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="tollgate"');
  const { ttlInSeconds = 1 } = ((error as Error).cause ?? {}) as { readonly ttlInSeconds?: number };
  if (answer.status === 429 || answer.status === 503) reply.header('retry-after', String(ttlInSeconds));
  return reply.code(answer.status).type(PROBLEM_TYPE).send(JSON.stringify(answer));
}

/** Answers are data for one caller: nothing to render, to frame, to guess a type of, or to keep. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const RAW_BODY = JSON.stringify(problem('invalidInput', 'This is no HTTP request that can be read.'));
const RAW_BAD_REQUEST = `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(RAW_BODY)}\r\nConnection: close\r\n\r\n${RAW_BODY}`;

/** `http://host:port` of a listening server, as a client on the same machine reaches it. */
export function urlOf(app: FastifyInstance): string {
  const [first] = app.addresses();
  invariant(typeof first === 'object', 'a server that listens has an address');
  return `http://${isIP(first.address) === 6 ? `[${first.address}]` : first.address}:${first.port}`;
}

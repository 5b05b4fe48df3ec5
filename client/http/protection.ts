import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RateLimits } from '../../config/identity-schema.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { Caller } from './auth.ts';

const MINUTE_MS = 60_000;
/** Addresses and callers that are counted at once, of each kind; whoever was not seen for longest is forgotten first. */
const COUNTED = 20_000;

/** Answers of the API are data for one caller: nothing to render, to frame, to run or to post from. */
const DATA_DIRECTIVES = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"], 'base-uri': ["'none'"], 'form-action': ["'none'"] };

/** Pages run their own scripts and styles from files, talk to this API, and may not be framed. */
const PAGE_DIRECTIVES = {
  'default-src': ["'self'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'object-src': ["'none'"],
  'frame-ancestors': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
};

/** Where a page is served, beside data. */
const PAGES = /^\/inbox(\/|$)/;

/** Headers for every answer. `isHttps`: browsers come by HTTPS alone, and shall keep doing so. */
export async function registerHeaders(app: FastifyInstance, isHttps: boolean): Promise<void> {
  const common: FastifyHelmetOptions = {
    contentSecurityPolicy: { useDefaults: false, directives: DATA_DIRECTIVES },
    strictTransportSecurity: isHttps ? { maxAge: 31_536_000 } : false,
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
  };
  app.addHook('onRoute', (route) => {
    if (PAGES.test(route.url) && route.helmet === undefined) route.helmet = { contentSecurityPolicy: { useDefaults: false, directives: PAGE_DIRECTIVES } };
  });
  await app.register(helmet, common);
}

export interface Limiter {
  /** Before anybody asks who sent it. @throws TollgateError `tooManyRequests`. */
  ofAddress(request: FastifyRequest): Promise<void>;
  /** Once it is known who sent it. @throws TollgateError `tooManyRequests`. */
  ofCaller(request: FastifyRequest, caller: Caller): Promise<void>;
}

/** Counts requests by address and by caller, decisions and logins for themselves. Nobody keeps the developer at this machine from anything. */
export async function registerLimits(app: FastifyInstance, rates: RateLimits): Promise<Limiter> {
  await app.register(rateLimit, { global: false, cache: COUNTED });
  const callers = new WeakMap<FastifyRequest, string>();
  const byAddress = (request: FastifyRequest) => request.ip ?? 'unknown';
  const byCaller = (request: FastifyRequest) => callers.get(request) ?? 'unknown';
  const limits = {
    address: app.createRateLimit({ max: rates.address, timeWindow: MINUTE_MS, keyGenerator: byAddress }),
    login: app.createRateLimit({ max: rates.login, timeWindow: MINUTE_MS, keyGenerator: byAddress }),
    caller: app.createRateLimit({ max: rates.caller, timeWindow: MINUTE_MS, keyGenerator: byCaller }),
    decide: app.createRateLimit({ max: rates.decide, timeWindow: MINUTE_MS, keyGenerator: byCaller }),
  };
  const count = async (kind: keyof typeof limits, request: FastifyRequest) => {
    const counted = await limits[kind](request);
    if (counted.isAllowed || !counted.isExceeded) return;
    throw new TollgateError('tooManyRequests', `That is more than ${counted.max} ${WORDS[kind]} in a minute. Try again in ${counted.ttlInSeconds} seconds.`, {
      cause: counted,
    });
  };
  return {
    async ofAddress(request) {
      await count('address', request);
      if (request.routeOptions.config.isLogin) await count('login', request);
    },
    async ofCaller(request, { identity, isLocal }) {
      if (isLocal) return;
      callers.set(request, identity.name);
      await count('caller', request);
      if (request.method !== 'GET' && request.routeOptions.config.scope === 'decide') await count('decide', request);
    },
  };
}

const WORDS = { address: 'requests from one address', login: 'logins from one address', caller: 'requests of one caller', decide: 'decisions of one caller' };

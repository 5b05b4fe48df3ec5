import type { Mutant } from './mutants.ts';

const LOGIN = 'test/client/http-login.test.ts';
const PROTECTION = 'test/client/http-protection.test.ts';
const TOKENS = 'test/adapters/token-verifier.test.ts';
const KEYS = 'test/adapters/decision-keys.test.ts';
const CLAIMS = 'test/domain/claims.test.ts';

/** Safeguards of who decides. */
export const IDENTITY_MUTANTS: readonly Mutant[] = [
  {
    name: 'who may ask the agent at a gate',
    file: 'domain/approval/question.ts',
    safeguard: '  if (objection) return objection;\n',
    without: '',
    tests: ['test/domain/question.test.ts'],
  },
  {
    name: 'who may take a gate',
    file: 'domain/approval/claim.ts',
    safeguard: '  if (objection) return refused(...objection);\n',
    without: "  if (objection?.[0] === 'closed') return refused(...objection);\n",
    tests: ['test/domain/question.test.ts'],
  },
  {
    name: 'the audience of a token',
    file: 'adapters/identity/token-verifier.ts',
    safeguard: '          audience,\n          algorithms',
    without: '          algorithms',
    tests: [TOKENS],
  },
  {
    name: 'the end that a token must have',
    file: 'adapters/identity/token-verifier.ts',
    safeguard: "requiredClaims: ['sub', 'exp'],",
    without: "requiredClaims: ['sub'],",
    tests: [TOKENS],
  },
  {
    name: 'the ID token that is no access token',
    file: 'adapters/identity/token-verifier.ts',
    safeguard: 'demandAccessToken(payload, protectedHeader);',
    without: 'if (payload.iat === -1) demandAccessToken(payload, protectedHeader);',
    tests: [TOKENS],
  },
  {
    name: 'the name that an issuer must give itself',
    file: 'adapters/identity/token-verifier.ts',
    safeguard: 'if (metadata.issuer !== issuer) throw',
    without: "if (metadata.issuer === '') throw",
    tests: [TOKENS],
  },
  {
    name: 'the state of a login',
    file: 'client/http/login-routes.ts',
    safeguard: '`, login);',
    without: "`, { ...login, state: new URLSearchParams(query).get('state') ?? login.state });",
    tests: [LOGIN],
  },
  {
    name: 'a login that is finished once',
    file: 'client/http/session.ts',
    safeguard: 'return (await ended.endSession(login.data.state, login.data.untilMs)) ? login.data : null;',
    without: 'return login.data;',
    tests: [LOGIN],
  },
  {
    name: 'the session that ends with a logout',
    file: 'client/http/session.ts',
    safeguard: 'return (await ended.isSessionEnded(parsed.data.id)) ? null : parsed.data;',
    without: 'return parsed.data;',
    tests: [LOGIN],
  },
  {
    name: 'the end of a session',
    file: 'client/http/session.ts',
    safeguard: '&& nowMs() < parsed.data.expiresAtMs',
    without: '',
    tests: [LOGIN],
  },
  {
    name: 'the CSRF token',
    file: 'client/http/auth.ts',
    safeguard: "if (!isForeign && typeof sent === 'string' && isSameText(sent, csrfToken)) return;",
    without: "if (!isForeign && (sent === undefined || typeof sent === 'string' || isSameText('', csrfToken))) return;",
    tests: [LOGIN],
  },
  {
    name: 'the page that a login leads to',
    file: 'client/http/login-routes.ts',
    safeguard: 'returnTo: returnPath(request.query.returnTo)',
    without: "returnTo: request.query.returnTo ?? returnPath('/')",
    tests: [LOGIN],
  },
  {
    name: 'the gates that are a person’s',
    file: 'client/http/their-gates.ts',
    safeguard: 'if (!isPerson) return true;',
    without: 'if (!isPerson || nowMs > 0) return true;',
    tests: [PROTECTION],
  },
  {
    name: 'the developer who is nobody where an issuer knows people',
    file: 'client/http/auth.ts',
    safeguard: "if (tokens) return refuse('Here",
    without: "if (tokens && !request.headers) return refuse('Here",
    tests: [PROTECTION],
  },
  {
    name: 'the limit on decisions',
    file: 'client/http/protection.ts',
    safeguard: "await count('decide', request);",
    without: "await count('caller', request);",
    tests: [PROTECTION],
  },
  {
    name: 'the tenant that a token never has by itself',
    file: 'domain/identity/claims.ts',
    safeguard: "value !== '' && value !== '*' &&",
    without: "value !== '' &&",
    tests: [CLAIMS],
  },
  {
    name: 'the role of every role that only a mapping gives',
    file: 'domain/identity/claims.ts',
    safeguard: 'given.filter((one) => PLAIN_ROLE.test(one) && one.length <= MAX_ROLE_LENGTH)',
    without: 'given.filter((one) => one.length <= MAX_ROLE_LENGTH)',
    tests: [CLAIMS, TOKENS],
  },
  {
    name: 'the key of a worker that speaks for no person',
    file: 'adapters/keys/decision-keys.ts',
    safeguard: 'return decision?.unverified === true ? decision : null;',
    without: 'return decision ?? null;',
    tests: [KEYS],
  },
  {
    name: 'the private key that has no place at a worker',
    file: 'adapters/keys/decision-keys.ts',
    safeguard: 'if (privateKeyOf(material)) throw notPublic();',
    without: '',
    tests: [KEYS],
  },
];

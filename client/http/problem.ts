import type { FastifyError } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { FAILURES, type FailureType, TollgateError } from '../../contracts/failures.ts';
import type { Problem } from './schemas.ts';

export const PROBLEM_TYPE = 'application/problem+json';
const MAX_PROBLEMS = 50;

const STATUS: Partial<Record<FailureType, number>> = {
  invalidInput: 400,
  unauthenticated: 401,
  forbidden: 403,
  notFound: 404,
  idTaken: 409,
  decisionRefused: 409,
  repairRefused: 409,
  unknownTask: 422,
  unknownModel: 422,
  unpricedModel: 422,
  missingKey: 422,
  tooManyMessages: 429,
  tooManyRequests: 429,
  storeFull: 503,
  storeUnavailable: 503,
  temporalUnavailable: 503,
  searchAttributesMissing: 503,
  identityUnavailable: 503,
};

const WIRE_DETAIL: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The body must be JSON: send it with "Content-Type: application/json".',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty, and "Content-Type: application/json" promises JSON. Send {} or no Content-Type.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too large.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says.',
  FST_ERR_BAD_URL: 'The path of the URL is not correctly encoded.',
};

/** A problem document, RFC 9457. */
export function problem(failureType: FailureType, detail: string, more: Partial<Problem> = {}): Problem {
  return {
    type: `urn:tollgate:failure:${failureType}`,
    title: FAILURES[failureType].summary,
    status: STATUS[failureType] ?? 500,
    detail,
    failureType,
    ...more,
  };
}

/**
 * What went wrong as a problem for the caller. What nobody foresaw says nothing of our insides: the log has it, under
 * `requestId`.
 */
export function toProblem(error: unknown, requestId: string): Problem {
  if (error instanceof TollgateError) return fromTollgate(error);
  if (hasZodFastifySchemaValidationErrors(error)) return fromValidation(error as unknown as ValidationFailure);
  const { statusCode, code } = error as FastifyError;
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return problem('invalidInput', WIRE_DETAIL[code] ?? 'The request can not be read.', { status: statusCode });
  return problem('invariantBroken', `Something went wrong here that should not. The log of the API has it under request ${requestId}.`);
}

/** The same with every text masked that may repeat what somebody sent. */
export function scrubbed(answer: Problem, scrub: (text: string) => string): Problem {
  const problems = answer.problems?.map(({ path, message }) => ({ path: scrub(path), message: scrub(message) }));
  return { ...answer, detail: scrub(answer.detail), ...(problems ? { problems } : {}) };
}

function fromTollgate({ type, message }: TollgateError): Problem {
  const lines = type === 'invalidInput' ? message.split('\n').map(toPathAndMessage) : [];
  return problem(type, message, lines.length > 0 ? { problems: lines } : {});
}

function toPathAndMessage(line: string): { readonly path: string; readonly message: string } {
  const [, path = '', message = line] = /^(?:The (?:run|message) was not (?:started|sent)\. )?([\w.]+): (.+)$/s.exec(line) ?? [];
  return { path, message };
}

interface Issue {
  readonly path?: readonly PropertyKey[];
  readonly message: string;
  readonly errors?: readonly (readonly Issue[])[];
}

interface ValidationFailure {
  readonly validationContext?: string;
  readonly validation: readonly { readonly instancePath: string; readonly message: string; readonly params: { readonly errors?: Issue['errors'] } }[];
}

function fromValidation({ validation, validationContext = 'request' }: ValidationFailure): Problem {
  const place = validationContext === 'querystring' ? 'query' : validationContext;
  const all = validation.flatMap(({ instancePath, message, params }) =>
    flatten({ path: instancePath.split('/').filter(Boolean), message, ...(params.errors ? { errors: params.errors } : {}) }),
  );
  const problems = all.slice(0, MAX_PROBLEMS).map(({ path, message }) => ({ path: [place, ...path].join('.'), message }));
  const detail = `The request was not understood. ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}.`;
  return problem('invalidInput', detail, { problems });
}

/** Of a union, the alternative that came furthest: its mistakes are the ones that were meant. */
function flatten(issue: Issue): { readonly path: readonly string[]; readonly message: string }[] {
  const own = (issue.path ?? []).map(String);
  const depth = (issues: readonly Issue[]) => Math.max(0, ...issues.map(({ path }) => path?.length ?? 0));
  const [best] = [...(issue.errors ?? [])].sort((a, b) => depth(b) - depth(a));
  if (!best || best.length === 0) return [{ path: own, message: issue.message }];
  return best.flatMap(flatten).map(({ path, message }) => ({ path: [...own, ...path], message }));
}

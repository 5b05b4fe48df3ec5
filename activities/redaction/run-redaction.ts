import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { TaskRedaction } from '../../contracts/redaction.ts';
import { askRemotes, REMOTE_TIMEOUT_MS } from '../../domain/redaction/ask-remotes.ts';
import type { RedactionOptions, TokenSource } from '../../domain/redaction/port.ts';
import type { RedactionCount, RedactionPlace } from '../../domain/redaction/store-port.ts';
import { replaceTokens } from '../../domain/redaction/token-text.ts';
import { countTriggers } from '../../domain/redaction/triggers.ts';
import { type FreshToken, VaultTokens } from '../../domain/redaction/vault-tokens.ts';
import type { ActivityPorts } from '../ports.ts';
import { knownTokens, sealed } from './vault.ts';

/** Other calls of the run may add to its vault meanwhile; each time one of them has got somewhere. */
const MAX_TRIES = 50;

/** Whose text it is. */
export interface RunOfText {
  readonly runKey: RunKey;
  readonly tenant: string;
  readonly feature: string;
  readonly task?: TaskRedaction;
}

/** A value that came along with a text, under the token that stands for it there. */
export type TravelledValues = ReadonlyMap<string, { readonly type: string; readonly value: string }>;

export interface ExitOptions {
  readonly place: RedactionPlace;
  /** Which tokens in the text are genuine: those of the run, those `sent` to a tool, those whose values `travelled` along (and where `ofRun`, those of the run too); else none. */
  readonly genuine: 'ofRun' | { readonly sent: ReadonlySet<string> } | { readonly travelled: TravelledValues; readonly ofRun?: boolean };
  /** Counted beside what is found here. */
  readonly also?: readonly Omit<RedactionCount, 'place'>[];
  /** What the audit says of the place. */
  readonly where?: JsonObject;
}

export interface Redacted<T> {
  readonly value: T;
  /** Types that policy blocks; where there is one, the value may not go on. */
  readonly blocked: readonly string[];
}

type Ports = Pick<ActivityPorts, 'store' | 'redaction'>;

/**
 * Redacts a text or JSON value of a run for good: the values behind its new tokens are in the vault, and what was found is
 * counted and audited, before it gives the value out. @throws TollgateError of the store or the keyring.
 */
export async function redactForRun<T extends JsonValue>(ports: Ports, run: RunOfText, exit: ExitOptions, value: T): Promise<Redacted<T>> {
  const { store, redaction } = ports;
  const keyed = await redaction.keyring.keyedHash(run.tenant);
  const remote = await askRemotes(redaction, run.tenant, value, () => AbortSignal.timeout(REMOTE_TIMEOUT_MS));
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const known = knownTokens(store, run.runKey);
    const tokens = new VaultTokens(known.tokens, (text) => keyed.hash('vault', text));
    const { shown, isGenuine } = withRunTokens(value, exit.genuine, tokens);
    const source: TokenSource = { tokenFor: (type, text) => tokens.tokenFor(type, text), knows: isGenuine };
    const found = redactOnce(redaction.redactor, shown, { ...optionsFor(run, exit, source), ...remote.options });
    // What another call added since may be what this one took for new or forged.
    if (tokens.isGuessing && (await known.refresh())) continue;
    const counts = [...countTriggers(found.findings), ...(exit.also ?? [])].map((count): RedactionCount => ({ ...count, place: exit.place }));
    const blocked = [...found.blocked, ...remote.blocked];
    if (counts.length === 0 && tokens.fresh.length === 0) return { value: found.value, blocked };
    if ((await record(ports, run, exit, tokens.fresh, counts)) === 'recorded') return { value: found.value, blocked };
    known.forget();
  }
  throw new TollgateError('storeUnavailable', `The vault of run ${run.runKey.agentRunId} changed ${MAX_TRIES} times while a text was redacted.`);
}

function optionsFor(run: RunOfText, { place }: ExitOptions, tokens: TokenSource): RedactionOptions {
  const { tenant, feature, task } = run;
  return {
    tenant,
    feature,
    ...(task ? { task } : {}),
    place: place === 'toolArguments' ? 'toolArguments' : 'text',
    // Which tokens are genuine, `tokens` says; forged ones lose their brackets either way.
    origin: 'run',
    tokens,
  };
}

/** The text with tokens of this run in place of those it came with; forged ones lose their brackets. */
function withRunTokens<T extends JsonValue>(
  value: T,
  genuine: ExitOptions['genuine'],
  tokens: VaultTokens,
): { readonly shown: T; readonly isGenuine: (token: string) => boolean } {
  if (genuine === 'ofRun') return { shown: value, isGenuine: (token) => tokens.knows(token) };
  if ('sent' in genuine) return { shown: value, isGenuine: (token) => genuine.sent.has(token) };
  const own = new Map([...genuine.travelled].map(([token, { type, value: raw }]) => [token, tokens.adopt(token, type, raw)]));
  const genuineHere = new Set(own.values());
  const shown = replaceTokens(value, (token) => own.get(token) ?? (genuine.ofRun ? token : withoutBrackets(token)));
  return { shown, isGenuine: (token) => genuineHere.has(token) || (genuine.ofRun === true && tokens.knows(token)) };
}

function withoutBrackets(token: string): string {
  return `[${token.slice(1, -1)}]`;
}

function redactOnce<T extends JsonValue>(redactor: ActivityPorts['redaction']['redactor'], value: T, options: RedactionOptions) {
  if (typeof value !== 'string') {
    const json = redactor.redactJson(value, options);
    return { value: json.value as T, findings: json.findings, blocked: json.blocked };
  }
  const { text, findings, blocked } = redactor.redactText(value, options);
  return { value: text as string as T, findings, blocked };
}

async function record(
  { store, redaction }: Ports,
  run: RunOfText,
  { place, where }: ExitOptions,
  fresh: readonly FreshToken[],
  counts: readonly RedactionCount[],
): Promise<'recorded' | 'conflict'> {
  const found = counts.map(({ type, action, count }) => ({ type, action, count }));
  return await store.recordRedaction(run.runKey, {
    entries: fresh.length === 0 ? [] : await sealed(redaction.keyring, run, fresh),
    counts,
    audit: { type: 'redaction.applied', runKey: run.runKey, actor: 'tollgate', data: { place, ...where, found } },
  });
}

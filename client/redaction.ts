import { TollgateError } from '../contracts/failures.ts';
import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { TaskRedaction } from '../contracts/redaction.ts';
import type { Travelled } from '../contracts/travelled.ts';
import type { ClientSealer, TenantPublicKey } from '../domain/encryption/port.ts';
import type { RedactionEngine } from '../domain/redaction/exit-port.ts';
import { askRemotes, REMOTE_TIMEOUT_MS } from '../domain/redaction/ask-remotes.ts';
import type { AppliedFinding, RedactionOptions, TokenSource } from '../domain/redaction/port.ts';
import { withoutInvisible } from '../domain/redaction/sanitise.ts';
import { createScrubber } from '../domain/redaction/scrub.ts';
import { mapStrings } from '../domain/redaction/token-text.ts';
import { maskFor, RunTokens } from '../domain/redaction/tokens.ts';
import { countTriggers } from '../domain/redaction/triggers.ts';

/** What a client redacts with before anything leaves its process. */
export interface ClientRedaction {
  readonly engine: RedactionEngine;
  readonly sealer: ClientSealer;
  /** The tenant's public key, to seal what is taken out. Null: it is masked instead, and no tool can get it. */
  publicKey(tenant: string): Promise<TenantPublicKey | null>;
}

export interface OutgoingText {
  readonly tenant: string;
  readonly feature: string;
  readonly task?: TaskRedaction;
  /** Tokens of the run that whoever wrote the text was shown, and that stay. */
  readonly shown?: readonly string[];
  /** What the sealed values are bound to. */
  readonly context: string;
  /** For the error where policy blocks it, such as `The run was not started.` */
  readonly refusal: string;
}

export interface Outgoing<T> {
  readonly value: T;
  /** Absent where nothing was found. */
  readonly redaction?: Travelled;
}

/**
 * Redacts what goes to Temporal, and seals what was taken out for the tenant.
 * @throws TollgateError `redactionBlocked` where policy lets it go nowhere.
 */
export async function redactOutgoing<T extends string | JsonObject>(
  { engine, sealer, publicKey }: ClientRedaction,
  text: OutgoingText,
  raw: T,
): Promise<Outgoing<T>> {
  const key = await publicKey(text.tenant);
  const given = new GivenTokens(key !== null, text.shown);
  const value = mapStrings(raw as JsonValue, (part) => withoutInvisible(part));
  const remote = await askRemotes(engine, text.tenant, value, () => AbortSignal.timeout(REMOTE_TIMEOUT_MS));
  const { tenant, feature, task } = text;
  const options: RedactionOptions = {
    tenant,
    feature,
    ...(task ? { task } : {}),
    place: 'text',
    origin: text.shown ? 'run' : 'outside',
    tokens: given,
    ...remote.options,
  };
  const redacted = redactOnce(engine, value, options);
  const blocked = [...redacted.blocked, ...remote.blocked];
  if (blocked.length > 0)
    throw new TollgateError(
      'redactionBlocked',
      `${text.refusal} It has ${blocked.join(', ')}, which redaction policy blocks. Take it out, or change the rule.`,
    );
  if (redacted.findings.length === 0) return { value: redacted.value as T };
  const sealed = key !== null && given.values.length > 0 ? sealer.seal(key, Buffer.from(JSON.stringify(given.values)), text.context) : null;
  const travelled: Travelled = {
    version: 1,
    ...(sealed ? { sealed: Buffer.from(sealed).toString('base64') } : {}),
    triggers: countTriggers(redacted.findings).map((trigger) => ({ ...trigger })),
  };
  return { value: redacted.value as T, redaction: travelled };
}

/** A comment or a reason, with values masked: it stands in a signed decision, where nothing can be sealed beside it. */
export function redactComment({ engine }: ClientRedaction, comment: string): string {
  return createScrubber(engine).text(withoutInvisible(comment));
}

function redactOnce(
  { redactor }: RedactionEngine,
  value: JsonValue,
  options: RedactionOptions,
): { readonly value: JsonValue; readonly findings: readonly AppliedFinding[]; readonly blocked: readonly string[] } {
  if (typeof value !== 'string') return redactor.redactJson(value, options);
  const { text, findings, blocked } = redactor.redactText(value, options);
  return { value: text, findings, blocked };
}

/** Higher than a run ever counts: the worker gives each its own number. */
const FIRST_BESIDE_SHOWN = 900_000_000;

/** The tokens of one text, with the values to seal. Without a key to seal with they are masks. */
class GivenTokens implements TokenSource {
  readonly #tokens: RunTokens;
  readonly #shown: ReadonlySet<string>;
  readonly #types = new Map<string, string>();
  readonly #canSeal: boolean;

  constructor(canSeal: boolean, shown?: readonly string[]) {
    this.#canSeal = canSeal;
    this.#shown = new Set(shown);
    this.#tokens = new RunTokens(shown ? FIRST_BESIDE_SHOWN : 1);
  }

  tokenFor(type: string, value: string): string {
    if (!this.#canSeal) return maskFor(type);
    const token = this.#tokens.tokenFor(type, value);
    if (!this.#types.has(token)) this.#types.set(token, type);
    return token;
  }

  knows(token: string): boolean {
    return this.#tokens.knows(token) || this.#shown.has(token);
  }

  /** Token, type and value, in the order they were given out. */
  get values(): readonly (readonly [token: string, type: string, value: string])[] {
    return [...this.#tokens.entries()].map(([token, value]) => [token, this.#types.get(token) ?? '', value]);
  }
}

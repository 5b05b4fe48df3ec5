import type { JsonValue } from '../../contracts/json.ts';
import type { RedactionAction, TaskRedaction } from '../../contracts/redaction.ts';

/**
 * Half-open range in UTF-16 code units of the text looked at. `type` is a name such as `email`, `creditCard`, `iban`, `phone`,
 * `ipAddress`, or with its family in front: `nationalId.us-ssn`, `secret.github-pat`.
 */
export interface Finding {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

export interface DetectionContext {
  /** ISO 3166-1 alpha-2, where the people in the texts live, most likely first; may be empty. */
  readonly regions: readonly string[];
}

/** Finds one family of values. Linear in the text's length on any input, keeps no state between calls, never throws. */
export interface Detector {
  readonly name: string;
  /** Every type its findings may have. */
  readonly types: readonly string[];
  find(text: string, context: DetectionContext): readonly Finding[];
}

/** A detector behind a network (Presidio). Rejects when it fails or the signal ends it: policy says whether the text may go on. */
export interface RemoteDetector {
  readonly name: string;
  readonly types: readonly string[];
  find(text: string, context: DetectionContext, signal: AbortSignal): Promise<readonly Finding[]>;
}

/**
 * Gives a value its token within a run (`⟦email:1⟧`) and takes it to the vault: the same value always has the same token,
 * a token never stands for two values.
 */
export interface TokenSource {
  tokenFor(type: string, value: string): string;
  /** Whether this run gave out that token. */
  knows(token: string): boolean;
}

export interface RedactionOptions {
  readonly tenant: string;
  readonly feature: string;
  /** What the run's task states (pinned in its snapshot); counts above the general settings and below the tenant's. */
  readonly task?: TaskRedaction;
  /** `toolArguments`: a value there is tokenised or blocks, because a tool would act on a masked one. */
  readonly place: 'text' | 'toolArguments';
  /**
   * `outside` (user input, tool results, documents): whatever looks like a token is forged and loses its brackets.
   * `run` (replies and arguments that the model wrote, text redacted before): tokens of this run stay, forged ones don't.
   */
  readonly origin: 'outside' | 'run';
  readonly tokens: TokenSource;
  /** Findings brought along, of remote detectors: see `remoteFindings`. */
  readonly also?: readonly Detector[];
}

/** A finding, offsets in the input, and what was done about it. `allow`ed ones are listed too. */
export interface AppliedFinding extends Finding {
  readonly action: RedactionAction;
}

/** Types that `block`, each once; where there is one, nothing may go on. The text has blocked values masked, so it can be shown. */
interface Blocked {
  readonly blocked: readonly string[];
}

export interface RedactedText extends Blocked {
  readonly text: string;
  readonly findings: readonly AppliedFinding[];
}

/** JSON Pointer of the string, and whether it is the key itself (offsets are then in the key). */
export interface JsonFinding extends AppliedFinding {
  readonly pointer: string;
  readonly inKey: boolean;
}

export interface RedactedJson<T extends JsonValue = JsonValue> extends Blocked {
  readonly value: T;
  readonly findings: readonly JsonFinding[];
}

/** Takes a text in chunks; every chunking gives, put together, what `redactText` gives for the whole. */
export interface StreamRedactor {
  /** What is safe to give out by now; may be empty. */
  push(chunk: string): RedactedText;
  /** The rest. */
  end(): RedactedText;
}

/** What an exit calls. Never throws on any input. Text that it gave out stays as it is when given in again with `origin: 'run'`. */
export interface Redactor {
  redactText(text: string, options: RedactionOptions): RedactedText;
  /** Values and keys; same shape out. A value is looked at with its key before it (`{"password": "…"}`); long numbers too. */
  redactJson(value: JsonValue, options: RedactionOptions): RedactedJson;
  stream(options: RedactionOptions): StreamRedactor;
}

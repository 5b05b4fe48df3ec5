import type { TokenSource } from './port.ts';
import type { VaultEntry } from './store-port.ts';
import { readToken } from './token-text.ts';
import { formatToken, maskFor } from './tokens.ts';

/** What is known of a run's tokens: the entries of its vault, without opening any. */
export type KnownEntry = Pick<VaultEntry, 'token' | 'type' | 'valueHash'>;

export interface FreshToken extends KnownEntry {
  readonly value: string;
}

/** What a process has seen of a run's tokens. Only grows. */
export class KnownTokens {
  readonly byHash = new Map<string, string>();
  readonly hashByToken = new Map<string, string>();
  readonly highest = new Map<string, number>();

  add({ token, valueHash }: Pick<KnownEntry, 'token' | 'valueHash'>): void {
    this.byHash.set(valueHash, token);
    this.hashByToken.set(token, valueHash);
    const read = readToken(token);
    if (read) this.highest.set(read.type, Math.max(read.number, this.highest.get(read.type) ?? 0));
  }
}

/**
 * Gives out tokens after what is known of the run. What it gives out newly counts only once the store has taken it: another
 * call of the same run may have been quicker, and then the text is redacted again.
 */
export class VaultTokens implements TokenSource {
  readonly #known: KnownTokens;
  readonly #own = new KnownTokens();
  readonly #hash: (value: string) => string;
  readonly #fresh: FreshToken[] = [];
  #isGuessing = false;

  constructor(known: KnownTokens, hash: (value: string) => string) {
    this.#known = known;
    this.#hash = hash;
  }

  tokenFor(type: string, value: string): string {
    return this.adopt(null, type, value);
  }

  /** The value's token of this run; `preferred`, which another source gave it, where the value is new here and that is free. */
  adopt(preferred: string | null, type: string, value: string): string {
    const valueHash = this.#hash(value);
    const known = this.#known.byHash.get(valueHash) ?? this.#own.byHash.get(valueHash);
    if (known !== undefined) return known;
    this.#isGuessing = true;
    const token = preferred !== null && readToken(preferred)?.type === type && !this.#has(preferred) ? preferred : this.#next(type);
    this.#own.add({ token, valueHash });
    this.#fresh.push({ token, type, valueHash, value });
    return token;
  }

  knows(token: string): boolean {
    const known = this.#has(token);
    this.#isGuessing ||= !known;
    return known;
  }

  /** Given out newly, in order. */
  get fresh(): readonly FreshToken[] {
    return this.#fresh;
  }

  /** Whether an answer depended on there being no further entries. */
  get isGuessing(): boolean {
    return this.#isGuessing;
  }

  #has(token: string): boolean {
    return this.#known.hashByToken.has(token) || this.#own.hashByToken.has(token);
  }

  #next(type: string): string {
    return formatToken(type, Math.max(this.#known.highest.get(type) ?? 0, this.#own.highest.get(type) ?? 0) + 1);
  }
}

/** Loopback and private networks: an operator needs them, and they are nobody's. */
const OWN_ADDRESS = /^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|0\.0\.0\.0$|::1$|f[cd][0-9a-f]{2}:|fe80:)/i;

/**
 * For texts that no run owns (logs, failures, comments): a value is masked, whatever looks like a token of some run stays, and so
 * do addresses of one's own machines, which tell what could not be reached.
 */
export const MASKING: TokenSource = {
  tokenFor: (type, value) => (type === 'ipAddress' && OWN_ADDRESS.test(value) ? value : maskFor(type)),
  knows: () => true,
};

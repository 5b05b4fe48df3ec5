import { TollgateError } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { Keyring, SealingKey } from '../../../domain/encryption/port.ts';
import type { RunStore } from '../../../domain/store/port.ts';
import { KeyCache } from '../../keys/key-cache.ts';
import { isSealedText } from '../../keys/sealed.ts';
import { runScopeKey } from '../rows.ts';

/** What stands where something was erased. */
export const ERASED = '[erased]';
const REMEMBERED_RUNS = 1_024;
const REMEMBER_MS = 60 * 60_000;

/** Seals and opens the texts of one run. `context` names what they are. */
export interface Seal {
  seal(text: string, context: string): string;
  /** A text that was never sealed comes back as it is. @throws TollgateError `unreadable`. */
  open(text: string, context: string): string;
}

/** Begins what is sealed, and what only looks as if it were. */
const MARK = 'sealed:';
const ESCAPE = 'sealed:0:';

/** Whether a text is not itself as it is stored. */
export function isMarked(text: string): boolean {
  return text.startsWith(MARK);
}

/** A text of somebody's own that looks like a sealed one stays a text like any other. */
function escaped(text: string): string {
  return isMarked(text) ? ESCAPE + text : text;
}

export function unescaped(text: string): string {
  return text.startsWith(ESCAPE) ? text.slice(ESCAPE.length) : text;
}

/** For what belongs to a run that nobody knows: there is nothing to seal or to open. */
const NO_SEAL: Seal = { seal: escaped, open: unescaped };

/** What is written for an erased run is not kept, and what was sealed for it can't be had. */
export const ERASED_SEAL: Seal = { seal: () => ERASED, open: (text) => (isSealedText(text) ? ERASED : unescaped(text)) };

/** The seals of runs, by the keys of their tenants. */
export class RunSeals {
  readonly #keyring: Keyring;
  readonly #runs: Pick<RunStore, 'getRun'>;
  readonly #seals: boolean;
  readonly #tenants: KeyCache<string>;

  constructor(keyring: Keyring, runs: Pick<RunStore, 'getRun'>, seals: boolean) {
    this.#keyring = keyring;
    this.#runs = runs;
    this.#seals = seals;
    this.#tenants = new KeyCache({ size: REMEMBERED_RUNS, ttlMs: REMEMBER_MS, now: Date.now });
  }

  /** @throws TollgateError `unreadable` or `keysUnavailable` where the key can't be had. */
  async of(runKey: RunKey): Promise<Seal> {
    const tenant = await this.#tenantOf(runKey);
    if (tenant === null) return NO_SEAL;
    const scope = { type: 'run', tenant, runKey } as const;
    try {
      return this.#seals ? sealUnder(await this.#keyring.key(scope)) : plainSeal(await this.#keyring.existingKey(scope));
    } catch (error) {
      if (error instanceof TollgateError && error.type === 'erased') return ERASED_SEAL;
      throw error;
    }
  }

  async #tenantOf(runKey: RunKey): Promise<string | null> {
    try {
      return await this.#tenants.get(runScopeKey(runKey), async () => {
        const run = await this.#runs.getRun(runKey);
        if (!run) throw new TollgateError('journalMissing', `The store does not know run ${runKey.agentRunId}.`);
        return run.tenant;
      });
    } catch (error) {
      if (error instanceof TollgateError && error.type === 'journalMissing') return null;
      throw error;
    }
  }
}

function sealUnder(key: SealingKey): Seal {
  return {
    seal: (text, context) => key.sealText(text, context),
    open: (text, context) => (isSealedText(text) ? key.openText(text, context) : unescaped(text)),
  };
}

/** Where sealing is switched off: opens what was sealed before. */
function plainSeal(key: SealingKey | null): Seal {
  return {
    seal: (text) => escaped(text),
    open: (text, context) => {
      if (!isSealedText(text)) return unescaped(text);
      if (key) return key.openText(text, context);
      throw new TollgateError(
        'keysUnavailable',
        'Another process has begun to seal this run under a key that this one has not looked for yet. It is tried again.',
      );
    },
  };
}

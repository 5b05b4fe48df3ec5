import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { Keyring } from '../encryption/port.ts';
import { NOTHING_OPENED, type OpenedToken, type OpenedTokens } from './revealed-arguments.ts';
import { vaultContext } from './sealing-context.ts';
import type { VaultStore } from './store-port.ts';
import { tokensIn } from './token-text.ts';

export interface VaultParts {
  readonly store: VaultStore;
  readonly keyring: Keyring;
}

/**
 * Opens the values behind the tokens in a value. Hashes are computed from what was opened, not taken from the row, which
 * somebody could have changed. A value whose key was destroyed has its row's hash and no value.
 * @throws TollgateError `unreadable` where a sealed value was changed, `keysUnavailable`.
 */
export async function openTokens(
  { store, keyring }: VaultParts,
  { runKey, tenant }: { readonly runKey: RunKey; readonly tenant: string },
  value: JsonValue,
): Promise<OpenedTokens> {
  const wanted = new Set(tokensIn(value));
  if (wanted.size === 0) return NOTHING_OPENED;
  const entries = (await store.listVault(runKey)).filter(({ token }) => wanted.has(token));
  if (entries.length === 0) return NOTHING_OPENED;
  const key = await unlessErased(() => keyring.key({ type: 'run', tenant, runKey }));
  const keyed = await keyring.keyedHash(tenant);
  return new Map(
    entries.map(({ token, type, valueHash, sealed }): [string, OpenedToken] => {
      if (!key) return [token, { type, value: null, valueHash }];
      const opened = key.openText(sealed, vaultContext(token));
      return [token, { type, value: opened, valueHash: keyed.hash('vault', opened) }];
    }),
  );
}

async function unlessErased<T>(open: () => Promise<T>): Promise<T | null> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof TollgateError && error.type === 'erased') return null;
    throw error;
  }
}

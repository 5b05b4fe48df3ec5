import { TollgateError } from '../../contracts/failures.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { NOTHING_OPENED, type OpenedToken, type OpenedTokens } from '../../domain/redaction/revealed-arguments.ts';
import { tokensIn } from '../../domain/redaction/token-text.ts';
import type { SealingKey } from '../../domain/encryption/port.ts';
import type { VaultRecord } from '../../domain/redaction/store-port.ts';
import type { ActivityPorts } from '../ports.ts';
import type { RunOfText } from './run-redaction.ts';
import { contextOf } from './vault.ts';

/**
 * Opens the values behind the tokens in a value. Hashes are computed from what was opened, not taken from the row, which
 * somebody could have changed. A value whose key was destroyed has its row's hash and no value.
 * @throws TollgateError `unreadable` where a sealed value was changed, `keysUnavailable`.
 */
export async function openTokens(
  { store, redaction }: Pick<ActivityPorts, 'store' | 'redaction'>,
  { runKey, tenant }: Pick<RunOfText, 'runKey' | 'tenant'>,
  value: JsonValue,
): Promise<OpenedTokens> {
  const wanted = new Set(tokensIn(value));
  if (wanted.size === 0) return NOTHING_OPENED;
  const entries = (await store.listVault(runKey)).filter(({ token }) => wanted.has(token));
  if (entries.length === 0) return NOTHING_OPENED;
  const key = await unlessErased(() => redaction.keyring.key({ type: 'run', tenant, runKey }));
  const keyed = await redaction.keyring.keyedHash(tenant);
  return new Map(
    entries.map((entry): [string, OpenedToken] => {
      const opened = key && valueOf(key, entry);
      return [entry.token, { type: entry.type, value: opened, valueHash: opened === null ? entry.valueHash : keyed.hash('vault', opened) }];
    }),
  );
}

function valueOf(key: SealingKey, { token, sealed }: VaultRecord): string {
  return key.openText(sealed, contextOf(token));
}

async function unlessErased<T>(open: () => Promise<T>): Promise<T | null> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof TollgateError && error.type === 'erased') return null;
    throw error;
  }
}

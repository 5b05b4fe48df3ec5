import type { RunKey } from '../../contracts/ids.ts';
import type { Keyring } from '../../domain/encryption/port.ts';
import { vaultContext } from '../../domain/redaction/sealing-context.ts';
import type { VaultEntry } from '../../domain/redaction/store-port.ts';
import { type FreshToken, KnownTokens } from '../../domain/redaction/vault-tokens.ts';
import type { Store } from '../../domain/store/port.ts';

const MAX_RUNS = 2_000;

/** Tokens of a run as this process has seen them. */
export interface RunTokensSeen {
  readonly tokens: KnownTokens;
  /** Reads what was added since; whether there was anything. */
  refresh(): Promise<boolean>;
  /** Next time all of it is read again. */
  forget(): void;
}

interface Seen {
  readonly tokens: KnownTokens;
  lastSequence: number;
}

const seenByStore = new WeakMap<Store, Map<string, Seen>>();

export function knownTokens(store: Store, runKey: RunKey): RunTokensSeen {
  const runs = seenByStore.get(store) ?? new Map<string, Seen>();
  seenByStore.set(store, runs);
  const name = `${runKey.agentRunId}/${runKey.firstExecutionRunId}`;
  const seen = runs.get(name) ?? { tokens: new KnownTokens(), lastSequence: 0 };
  runs.set(name, seen);
  const oldest = runs.keys().next();
  if (runs.size > MAX_RUNS && !oldest.done) runs.delete(oldest.value);
  return {
    tokens: seen.tokens,
    refresh: async () => {
      const added = await store.listVault(runKey, seen.lastSequence);
      for (const entry of added) {
        seen.tokens.add(entry);
        seen.lastSequence = Math.max(seen.lastSequence, entry.sequence);
      }
      return added.length > 0;
    },
    forget: () => runs.delete(name),
  };
}

/** Seals values under the key of their run. */
export async function sealed(
  keyring: Keyring,
  { tenant, runKey }: { readonly tenant: string; readonly runKey: RunKey },
  fresh: readonly FreshToken[],
): Promise<VaultEntry[]> {
  const key = await keyring.key({ type: 'run', tenant, runKey });
  return fresh.map(({ token, type, valueHash, value }) => ({ token, type, valueHash, sealed: key.sealText(value, vaultContext(token)) }));
}

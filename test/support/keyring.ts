import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKeyFile } from '../../adapters/keys/key-file.ts';
import { createKeyring } from '../../adapters/keys/keyring.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { Keyring } from '../../domain/encryption/port.ts';
import type { Store } from '../../domain/store/port.ts';

export interface KeyringGround {
  readonly home: string;
  readonly store: Store;
  readonly clock: { nowMs: number };
  /** A keyring on the same data, as another process has it. */
  readonly openKeyring: () => Keyring;
  readonly remove: () => Promise<void>;
}

/** A data folder of its own, with a store for wrapped keys. */
export async function openKeyringGround(): Promise<KeyringGround> {
  const home = await mkdtemp(join(tmpdir(), 'tollgate-keys-'));
  const store = await openSqliteStore({ path: join(home, 'tollgate.db') });
  const clock = { nowMs: 1_800_000_000_000 };
  return {
    home,
    store,
    clock,
    openKeyring: () => createKeyring({ wrapper: openKeyFile(home), keys: store, now: () => clock.nowMs }),
    remove: async () => {
      await store.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

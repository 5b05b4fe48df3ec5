import type { Keyring, KeyWrapper } from '../../domain/encryption/port.ts';
import type { KeyStore } from '../../domain/encryption/store-port.ts';
import { openKeyFile } from './key-file.ts';
import { createKeyring } from './keyring.ts';
import { openVaultTransit, type TransitOptions } from './vault-transit.ts';

/** Which keys, of all settings. */
export interface KeyringSettings {
  readonly home: string;
  readonly encryption?: { readonly kms?: TransitOptions };
}

/** What wraps the tenants' keys: the key service of the settings, else the key file of the data folder. */
export function openWrapper({ home, encryption }: KeyringSettings): KeyWrapper {
  return encryption?.kms ? openVaultTransit(encryption.kms) : openKeyFile(home);
}

const keyrings = new WeakMap<KeyStore, Keyring>();

/** The keyring that the settings name, on the wrapped keys in `keys`; one for each store of a process, so that a key destroyed is gone from all of it. */
export function openKeyring(settings: KeyringSettings, keys: KeyStore): Keyring {
  const known = keyrings.get(keys) ?? createKeyring({ wrapper: openWrapper(settings), keys });
  keyrings.set(keys, known);
  return known;
}

/** Makes `keyring` the one of another view of the same store. */
export function shareKeyring(keyring: Keyring, keys: KeyStore): void {
  keyrings.set(keys, keyring);
}

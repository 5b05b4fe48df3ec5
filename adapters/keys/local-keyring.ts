import type { Keyring } from '../../domain/encryption/port.ts';
import type { KeyStore } from '../../domain/encryption/store-port.ts';
import { openKeyFile } from './key-file.ts';
import { createKeyring } from './keyring.ts';

/**
 * The keyring of a data folder: its root key in a file there, everything else wrapped in the store. Processes that share
 * both share all keys, whoever made them.
 */
export function openLocalKeyring(home: string, keys: KeyStore): Keyring {
  return createKeyring({ wrapper: openKeyFile(home), keys });
}

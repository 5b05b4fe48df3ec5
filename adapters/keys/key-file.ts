import { randomBytes, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TollgateError } from '../../contracts/failures.ts';
import type { KeyWrapper, SealingKey } from '../../domain/encryption/port.ts';
import { keyVersion, sealingKey } from './sealed.ts';

const ROOT_KEY = /^root-(\d+)\.key$/;

/**
 * Wraps keys under the root keys of a data folder: `keys/root-1.key` and on, readable by their owner only; the last one
 * wraps. The first is made at its first use; processes that make the same one at once end with the same bytes.
 */
export function openKeyFile(home: string): KeyWrapper {
  const folder = join(home, 'keys');
  let root: SealingKey | null = null;
  return {
    name: 'file',
    // Read anew: keys are made seldom, and another process may have made a new root key.
    wrap: async (key, context) => {
      root = readRootKeys(folder);
      return `file:${Buffer.from(root.seal(key, context)).toString('base64')}`;
    },
    unwrap: async (wrapped, context) => {
      const bytes = fromText(wrapped);
      try {
        root ??= readRootKeys(folder);
        return root.open(bytes, context);
      } catch {
        // A root key that was made since.
        root = readRootKeys(folder);
        return opened(root, bytes, context, folder);
      }
    },
    rotate: async () => {
      const number = Math.max(0, ...rootNumbers(folder)) + 1;
      createRootKey(folder, number);
      root = readRootKeys(folder);
      return { keyId: `root-${number}` };
    },
  };
}

function fromText(wrapped: string): Buffer {
  if (wrapped.startsWith('file:')) return Buffer.from(wrapped.slice('file:'.length), 'base64');
  throw new TollgateError(
    'unreadable',
    `A key of the store is wrapped by "${wrapped.split(':')[0]}", and this process uses the key file. Set TOLLGATE_KMS_URL as where it was made.`,
  );
}

function opened(root: SealingKey, bytes: Buffer, context: string, folder: string): Uint8Array {
  try {
    return root.open(bytes, context);
  } catch (cause) {
    throw new TollgateError(
      'unreadable',
      `A key of the store was not wrapped under any of the root keys in ${folder}. Bring back the files root-*.key of the installation that wrote this store.`,
      { cause },
    );
  }
}

function readRootKeys(folder: string): SealingKey {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (rootNumbers(folder).length === 0) createRootKey(folder, 1);
  const versions = rootNumbers(folder).map((number) => readRootKey(join(folder, `root-${number}.key`)));
  const newest = versions.at(-1);
  if (!newest) throw new TollgateError('unreadable', `There is no root key in ${folder}.`);
  return sealingKey(newest, versions);
}

function rootNumbers(folder: string): number[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return readdirSync(folder)
    .flatMap((name) => ROOT_KEY.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function readRootKey(path: string) {
  const [keyId = '', secret = ''] = readFileSync(path, 'utf8').trim().split(' ');
  const raw = Buffer.from(secret, 'base64');
  if (/^[0-9a-f]{16}$/.test(keyId) && raw.length === 32) return keyVersion(keyId, raw);
  throw new TollgateError('unreadable', `${path} is no root key: an id and 32 bytes in base64. Bring back the file that was there.`);
}

/** Written in full under another name, then linked: whoever links second finds the first one's key, never half of one. */
function createRootKey(folder: string, number: number): void {
  const temporary = join(folder, `.root.${randomUUID()}`);
  writeFileSync(temporary, `${randomBytes(8).toString('hex')} ${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(temporary, join(folder, `root-${number}.key`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

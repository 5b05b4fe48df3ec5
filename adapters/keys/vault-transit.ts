import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { KeyWrapper } from '../../domain/encryption/port.ts';

const TIMEOUT_MS = 3_000;
const encrypted = z.object({ data: z.object({ ciphertext: z.string().startsWith('vault:') }) });
const decrypted = z.object({ data: z.object({ plaintext: z.base64() }) });

export interface TransitOptions {
  /** `https://host/v1/<mount>/keys/<name>`: a key of the Transit engine, of type aes256-gcm96. */
  readonly url: string;
  readonly token?: string;
}

/**
 * Wraps keys with a key that never leaves HashiCorp Vault (or OpenBao), by the Transit engine's `encrypt` and `decrypt`;
 * the context goes along as associated data. Rotation is done there: `decrypt` still opens older versions.
 */
export function openVaultTransit({ url, token }: TransitOptions): KeyWrapper {
  const [, base = '', name = ''] = /^(.*)\/keys\/([^/]+)$/.exec(url) ?? [];

  async function call(operation: 'encrypt' | 'decrypt', body: object): Promise<unknown> {
    const response = await fetch(`${base}/${operation}/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { 'x-vault-token': token }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    }).catch((cause: unknown) => {
      throw unavailable(`does not answer (${(cause as Error).message})`, cause);
    });
    const text = await response.text();
    if (response.ok) return parsed(text);
    // Vault answers 400 to what it can't decrypt; everything else (403 token, 429, 503 sealed) may get better.
    if (operation === 'decrypt' && response.status === 400)
      throw new TollgateError(
        'unreadable',
        `${base} can't unwrap a key of the store with its key "${name}" (400). Use the key service and key that wrapped it.`,
      );
    throw unavailable(`answers ${response.status}`);
  }

  function unavailable(what: string, cause?: unknown): TollgateError {
    return new TollgateError('keysUnavailable', `The key service at ${base} ${what}. Check TOLLGATE_KMS_URL, TOLLGATE_KMS_TOKEN and that it is unsealed.`, {
      cause,
    });
  }

  function read<T>(schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (!parsed.success) throw unavailable('answers something that is no answer of the Transit engine');
    return parsed.data;
  }

  return {
    name: 'vault-transit',
    wrap: async (key, context) => read(encrypted, await call('encrypt', { plaintext: base64(key), associated_data: base64(context) })).data.ciphertext,
    unwrap: async (wrapped, context) => {
      if (!wrapped.startsWith('vault:'))
        throw new TollgateError('unreadable', 'A key of the store was wrapped by the key file, and this process uses a key service. Unset TOLLGATE_KMS_URL.');
      return Buffer.from(read(decrypted, await call('decrypt', { ciphertext: wrapped, associated_data: base64(context) })).data.plaintext, 'base64');
    },
    rotate: async () => {
      throw new TollgateError(
        'invalidInput',
        `The wrapping key is rotated at the key service: vault write -f ${base.replace(/^.*\/v1\//, '')}/keys/${name}/rotate. Then run "tollgate keyring rewrap".`,
      );
    },
  };
}

/** What is no JSON is no answer of the engine either. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function base64(value: string | Uint8Array): string {
  return Buffer.from(value).toString('base64');
}

import { TollgateError } from '../../contracts/failures.ts';
import type { Keyring, SealingKey } from '../../domain/encryption/port.ts';
import { sealedUnder } from './sealed.ts';

/** A payload as Temporal has it; this layer knows nothing else of Temporal. */
export interface PayloadBytes {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
}

/** What a payload belongs to, where it is known. */
export interface PayloadOwner {
  readonly workflowId?: string;
}

/** Owns what belongs to no tenant that could be known: a signal to a run that this process has not seen, say. */
export const NAMESPACE_TENANT = '';
const SEALED = Buffer.from('binary/sealed');
const PLAIN_JSON = Buffer.from('json/plain');
const CONTEXT = 'temporal payload';
/** Tells the workflow's converter that a codec is there, which then marks what is to stay readable. */
const SEEN = Buffer.from('1');
const JSON_BODY = Buffer.of(0);
const OTHER_BODY = 1;
/** Temporal's own query for what the Web UI shows; its answer is in no history. */
const UI_METADATA = Buffer.from('{"definition":{"type":');
const MAX_REMEMBERED = 10_000;
const MAX_READABLE = 1_000;

export interface CodecOptions {
  /** Whether what is written is sealed. What is sealed already is opened either way. */
  readonly seals: () => boolean;
}

/**
 * Seals what Temporal keeps, each payload under the key of its tenant. Temporal says which workflow a payload belongs to,
 * not which tenant; so the tenant of a workflow is remembered from the first payload of it that named one, by its key or
 * by the field `tenant` of a start input. Texts that were given to `leaveReadable`, or that the workflow marked, stay
 * readable: summaries and details, which people read in the Temporal Web UI.
 */
export class PayloadCodec {
  readonly #open: () => Promise<Keyring>;
  readonly #seals: () => boolean;
  readonly #tenants = new Map<string, string>();
  readonly #readable = new Set<string>();

  /** The keyring is opened at the first use. */
  constructor(openKeyring: () => Promise<Keyring>, { seals }: CodecOptions) {
    this.#open = openKeyring;
    this.#seals = seals;
  }

  /** The next payload with exactly this text is not sealed. */
  leaveReadable(text: string): void {
    keepNewest(this.#readable, MAX_READABLE);
    this.#readable.add(JSON.stringify(text));
  }

  /** @throws TollgateError where keys can't be had now; Temporal's SDK then tries again. */
  async encode<T extends PayloadBytes>(payloads: T[], owner?: PayloadOwner): Promise<T[]> {
    const encoded: T[] = [];
    for (const payload of payloads) encoded.push(await this.#encodeOne(payload, owner));
    return encoded;
  }

  /**
   * What can't be opened becomes a value of type `undecodable`.
   * @throws TollgateError only where keys can't be had now (`keysUnavailable`, `storeUnavailable`): a run must not go on
   * with `undecodable` in place of a value that can be read in a minute.
   */
  async decode<T extends PayloadBytes>(payloads: T[], owner?: PayloadOwner): Promise<T[]> {
    const decoded: T[] = [];
    for (const payload of payloads) decoded.push(await this.#decodeOne(payload, owner));
    return decoded;
  }

  /** The tenant under whose key a payload was sealed; null where it was not, or nobody knows. */
  async sealedFor(payload: PayloadBytes): Promise<string | null> {
    const keyId = isSealed(payload) ? sealedUnder(payload.data ?? Buffer.of()) : null;
    if (keyId === null) return null;
    return await (await this.#open()).opener(keyId).then(
      (opener) => opener?.tenant ?? null,
      () => null,
    );
  }

  async #encodeOne<T extends PayloadBytes>(payload: T, owner: PayloadOwner | undefined): Promise<T> {
    const { metadata, data } = payload;
    if (metadata?.readable) {
      const { readable: _, ...rest } = metadata;
      return { ...payload, metadata: rest };
    }
    if (!this.#seals() || this.#staysReadable(payload) || isSealed(payload)) return payload;
    const key = await this.#key(this.#tenantOf(payload, owner));
    const isJson = isPlainJson(metadata);
    const body = isJson ? Buffer.concat([JSON_BODY, data ?? Buffer.of()]) : otherBody(payload);
    return { metadata: { encoding: SEALED }, data: key.seal(body, CONTEXT) } as unknown as T;
  }

  #staysReadable({ metadata, data }: PayloadBytes): boolean {
    if (!data || !isPlainJson(metadata)) return false;
    if (UI_METADATA.equals(data.subarray(0, UI_METADATA.length))) return true;
    return this.#readable.size > 0 && data[0] === QUOTE && this.#readable.delete(Buffer.from(data).toString('utf8'));
  }

  #tenantOf({ data }: PayloadBytes, owner: PayloadOwner | undefined): string {
    const known = owner?.workflowId === undefined ? undefined : this.#tenants.get(owner.workflowId);
    if (known !== undefined) return known;
    const named = tenantNamedIn(data);
    if (named !== null) this.#remember(owner, named);
    return named ?? NAMESPACE_TENANT;
  }

  #remember(owner: PayloadOwner | undefined, tenant: string): void {
    if (owner?.workflowId === undefined || tenant === NAMESPACE_TENANT || this.#tenants.get(owner.workflowId) === tenant) return;
    keepNewest(this.#tenants, MAX_REMEMBERED);
    this.#tenants.set(owner.workflowId, tenant);
  }

  async #key(tenant: string): Promise<SealingKey> {
    const keyring = await this.#open();
    return keyring.keyInMemory({ type: 'tenant', tenant }) ?? (await keyring.key({ type: 'tenant', tenant }));
  }

  async #decodeOne<T extends PayloadBytes>(payload: T, owner: PayloadOwner | undefined): Promise<T> {
    if (!isSealed(payload)) return this.#seals() ? seen(payload) : payload;
    try {
      const sealed = payload.data ?? Buffer.of();
      const keyId = sealedUnder(sealed);
      const opener = keyId === null ? null : await (await this.#open()).opener(keyId);
      if (!opener) throw new TollgateError('unreadable', `It was sealed under the key ${keyId ?? '(none)'}, which is not in this store.`);
      const opened = fromBody(Buffer.from(opener.key.open(sealed, CONTEXT)));
      this.#remember(owner, opener.tenant);
      return (this.#seals() ? seen(opened) : opened) as T;
    } catch (error) {
      if (error instanceof TollgateError && (error.type === 'keysUnavailable' || error.type === 'storeUnavailable')) throw error;
      return (this.#seals() ? seen(undecodable(error)) : undecodable(error)) as T;
    }
  }
}

const QUOTE = 0x22;

function isPlainJson(metadata: PayloadBytes['metadata']): boolean {
  const encoding = metadata?.encoding;
  return encoding !== undefined && PLAIN_JSON.equals(encoding) && Object.keys(metadata ?? {}).length === 1;
}

function isSealed({ metadata }: PayloadBytes): boolean {
  const encoding = metadata?.encoding;
  return encoding !== undefined && SEALED.equals(encoding);
}

function seen<T extends PayloadBytes>(payload: T): T {
  return { ...payload, metadata: { ...payload.metadata, codec: SEEN } };
}

/** Everything but plain JSON keeps its metadata: its length, then itself as JSON, then the data. */
function otherBody({ metadata, data }: PayloadBytes): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  const described = Buffer.from(JSON.stringify(entries), 'utf8');
  const head = Buffer.alloc(5);
  head[0] = OTHER_BODY;
  head.writeUInt32BE(described.length, 1);
  return Buffer.concat([head, described, data ?? Buffer.of()]);
}

function fromBody(body: Buffer): PayloadBytes {
  if (body[0] === JSON_BODY[0]) return { metadata: { encoding: PLAIN_JSON }, data: body.subarray(1) };
  const end = 5 + body.readUInt32BE(1);
  const entries = JSON.parse(body.subarray(5, end).toString('utf8')) as [string, string][];
  return { metadata: Object.fromEntries(entries.map(([name, value]) => [name, Buffer.from(value, 'base64')])), data: body.subarray(end) };
}

function undecodable(error: unknown): PayloadBytes {
  const reason = error instanceof Error ? error.message : 'unreadable payload';
  return { metadata: { encoding: PLAIN_JSON }, data: Buffer.from(JSON.stringify({ type: 'undecodable', reason }), 'utf8') };
}

/** A start input says whose it is. Parsed only where nothing is known of the workflow yet. */
function tenantNamedIn(data: Uint8Array | null | undefined): string | null {
  try {
    const value = JSON.parse(Buffer.from(data ?? []).toString('utf8')) as { readonly tenant?: unknown } | null;
    return typeof value?.tenant === 'string' ? value.tenant : null;
  } catch {
    return null;
  }
}

/** Makes room for another one by dropping the oldest. */
function keepNewest(entries: Map<string, unknown> | Set<string>, size: number): void {
  if (entries.size < size) return;
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}

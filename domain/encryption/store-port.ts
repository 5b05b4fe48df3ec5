/** A wrapped key: useless to whoever has the store alone. */
export interface KeyRow {
  readonly keyId: string;
  readonly kind: 'tenant' | 'run' | 'person';
  readonly tenant: string;
  /** Which run or person; empty for the tenant's own. */
  readonly name: string;
  /** 1 and up; the highest seals. */
  readonly version: number;
  /** Null once it was destroyed. The row stays, so that nobody makes the key anew. */
  readonly wrapped: string | null;
  readonly createdAtMs: number;
  readonly destroyedAtMs: number | null;
}

export type NewKeyRow = Pick<KeyRow, 'keyId' | 'kind' | 'tenant' | 'name' | 'version'> & { readonly wrapped: string };

export type KeyFilter = { readonly tenant: string } & Partial<Pick<KeyRow, 'kind' | 'name'>>;

export interface KeyStore {
  /** Adds a key, unless that version is there; answers the row that holds. */
  putKey(key: NewKeyRow): Promise<KeyRow>;
  getKey(keyId: string): Promise<KeyRow | null>;
  /** All versions of one key, oldest first, destroyed ones too. */
  listKeys(key: Pick<KeyRow, 'kind' | 'tenant' | 'name'>): Promise<readonly KeyRow[]>;
  /** The tenants' own keys that are not destroyed, by tenant; those after `afterKeyId`. */
  listTenantKeys(filter: { readonly afterKeyId?: string; readonly limit: number }): Promise<readonly KeyRow[]>;
  /** Replaces what a key is wrapped in; a destroyed one stays destroyed. */
  rewrapKey(keyId: string, wrapped: string): Promise<void>;
  /** For good. Answers how many were not destroyed before. */
  destroyKeys(filter: KeyFilter): Promise<number>;
}

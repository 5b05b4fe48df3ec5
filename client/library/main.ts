import { clientSealer } from '../../adapters/keys/client-sealer.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import type { RedactionSettings } from '../../contracts/redaction.ts';
import type { TenantPublicKey } from '../../domain/encryption/port.ts';
import { type AgentClient, type AgentClientOptions, createAgentClient as createBareClient } from '../agent-client.ts';

export interface LibraryClientOptions extends Omit<AgentClientOptions, 'redaction'> {
  /** `redaction` of the project, where this process knows it. Default: Tollgate's own rules. The worker's rules count as well. */
  readonly redaction?: RedactionSettings;
  /**
   * Public keys by tenant, as `tollgate keyring public-key` prints them. What is taken out of a text is sealed with them, and
   * tools that need it can get it; for a tenant without one it is masked and gone.
   */
  readonly publicKeys?: Readonly<Record<string, TenantPublicKey>>;
}

/** A client over a connected Temporal client, which redacts before anything goes there. Never opens or closes a connection. */
export function createAgentClient({ redaction = {}, publicKeys = {}, ...options }: LibraryClientOptions): AgentClient {
  const own = {
    engine: openEngine(redaction),
    sealer: clientSealer,
    publicKey: async (tenant: string) => (Object.hasOwn(publicKeys, tenant) ? (publicKeys[tenant] ?? null) : null),
  };
  return createBareClient({ ...options, redaction: async () => own });
}

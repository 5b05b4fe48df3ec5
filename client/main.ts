import { clientSealer } from '../adapters/keys/client-sealer.ts';
import { openSigningKey } from '../adapters/keys/decision-keys.ts';
import { openLocalKey } from '../adapters/keys/local-key.ts';
import { createPriceSource } from '../adapters/prices/genai-prices.ts';
import { openEngine } from '../adapters/redaction/engine.ts';
import { createModelCatalogue } from '../adapters/providers/model-catalogue.ts';
import { isLoopbackAddress } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import type { Keyring } from '../domain/encryption/port.ts';
import type { ModelCatalogue } from '../domain/model/catalogue-port.ts';
import type { ProjectSpec } from '../domain/task/define.ts';
import type { ClientRedaction } from './redaction.ts';
import type { TemporalAddress } from './temporal-connection.ts';

// What the processes on the client's side (the CLI, the API) are wired from.

/** Where Temporal is: as configured, else where `tollgate dev` runs, else the usual local address. */
export function addressOf({ temporal }: Settings): TemporalAddress {
  const { address, namespace, apiKey, tls } = temporal;
  return { address, namespace, ...(apiKey === undefined ? {} : { apiKey }), ...(tls === undefined ? {} : { tls }) };
}

/**
 * What decisions are signed with: the key that the settings name, else the development key, which counts only while Temporal,
 * and the listener where there is one, are on this machine.
 * @throws TollgateError where they are not, and TOLLGATE_INSECURE does not say that this is wanted.
 */
export async function openSigner({ home, temporal, insecure, decisionKeys }: Settings, listener?: string): Promise<DecisionSigner> {
  if (decisionKeys.signing !== undefined) return openSigningKey(decisionKeys.signing);
  const elsewhere = !isLoopbackAddress(temporal.address)
    ? `TEMPORAL_ADDRESS is ${temporal.address}: the local development key signs only while Temporal is on this machine.`
    : listener !== undefined && !isLoopbackAddress(listener)
      ? `TOLLGATE_LISTEN is ${listener}: the local development key signs only while the API listens on this machine alone.`
      : null;
  if (elsewhere !== null && !insecure)
    throw new TollgateError(
      'invalidInput',
      `${elsewhere} Set TOLLGATE_DECISION_KEY to a key of your own (npx tollgate keys pair), or TOLLGATE_INSECURE=1 to accept the risk.`,
    );
  return (await openLocalKey(home)).signer;
}

/** Redaction on the client's side, by the project's rules. Values are sealed for the tenant under the keys of this data folder. */
export function redactionOf({ presidio }: Pick<Settings, 'presidio'>, { redaction = {} }: ProjectSpec, keyring: Keyring): ClientRedaction {
  return { engine: openEngine(redaction, presidio), sealer: clientSealer, publicKey: (tenant) => keyring.publicKey(tenant) };
}

export function catalogueOf({ openai, simulatedUrl, secret }: Settings, spec: ProjectSpec): ModelCatalogue {
  return createModelCatalogue({
    openai,
    ...(simulatedUrl === undefined ? {} : { simulatedUrl }),
    ...(spec.models === undefined ? {} : { models: spec.models }),
    ...(spec.endpoints === undefined ? {} : { endpoints: spec.endpoints }),
    secret,
    prices: createPriceSource({ file: spec.prices }),
  });
}

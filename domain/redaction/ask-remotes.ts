import type { JsonValue } from '../../contracts/json.ts';
import type { RedactionEngine } from './exit-port.ts';
import { regionsFor } from './policy.ts';
import type { RedactionOptions } from './port.ts';
import { DETECTOR_FAILURE } from './redact-block.ts';
import { remoteFindings } from './remote-findings.ts';

/** How long detectors behind a network may take for one text, in milliseconds. */
export const REMOTE_TIMEOUT_MS = 3_000;

export interface RemoteAnswers {
  /** For the engine. */
  readonly options: Pick<RedactionOptions, 'also'>;
  readonly blocked: readonly string[];
}

/** What detectors behind a network say of a text, asked once, until `deadline`. One that fails blocks or not, as the settings say. */
export async function askRemotes(
  { remotes, settings }: RedactionEngine,
  tenant: string,
  value: JsonValue,
  deadline: () => AbortSignal,
): Promise<RemoteAnswers> {
  if (remotes.length === 0) return { options: {}, blocked: [] };
  const found = await remoteFindings(value, remotes, { regions: regionsFor(settings, tenant) }, deadline());
  const isBlocking = found.failed.length > 0 && settings.onDetectorFailure !== 'goOn';
  return { options: { also: [found.detector] }, blocked: isBlocking ? [DETECTOR_FAILURE] : [] };
}

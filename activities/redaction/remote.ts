import type { JsonValue } from '../../contracts/json.ts';
import type { RedactionEngine } from '../../domain/redaction/exit-port.ts';
import { regionsFor } from '../../domain/redaction/policy.ts';
import type { Detector } from '../../domain/redaction/port.ts';
import { remoteFindings } from '../../domain/redaction/remote-findings.ts';

const REMOTE_TIMEOUT_MS = 3_000;

/** What detectors behind a network say, once for a text. One that fails blocks or not, as the settings say. */
export async function askRemotes(
  { remotes, settings }: RedactionEngine,
  tenant: string,
  value: JsonValue,
): Promise<{ readonly also?: readonly Detector[]; readonly blocked: readonly string[] }> {
  if (remotes.length === 0) return { blocked: [] };
  const found = await remoteFindings(value, remotes, { regions: regionsFor(settings, tenant) }, AbortSignal.timeout(REMOTE_TIMEOUT_MS));
  const isBlocking = found.failed.length > 0 && settings.onDetectorFailure !== 'goOn';
  return { also: [found.detector], blocked: isBlocking ? ['detectorFailure'] : [] };
}

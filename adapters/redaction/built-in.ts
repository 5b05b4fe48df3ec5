import type { Detector } from '../../domain/redaction/port.ts';
import { createSecretDetector } from './secrets/secret-detector.ts';

/** Every detector that Tollgate ships, secrets first: of two equal findings the first counts. */
export function builtInDetectors(): Detector[] {
  return [createSecretDetector()];
}

import type { RedactionSettings } from '../../contracts/redaction.ts';
import type { Redactor, RemoteDetector } from './port.ts';

/** What an exit needs, on the client's side and on the worker's: the engine, and what the project says. */
export interface RedactionEngine {
  readonly redactor: Redactor;
  /** Detectors behind a network, asked before the engine. */
  readonly remotes: readonly RemoteDetector[];
  readonly settings: RedactionSettings;
}

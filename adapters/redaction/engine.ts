import type { RedactionSettings } from '../../contracts/redaction.ts';
import type { RedactionEngine } from '../../domain/redaction/exit-port.ts';
import { openRedactor } from './open-redactor.ts';
import { createPresidioDetector, type PresidioOptions } from './presidio.ts';

/**
 * What the exits of a process use: all built-in detectors by the project's settings, and a Presidio analyzer where there is one.
 * @throws TollgateError `invalidInput` for patterns that may not run.
 */
export function openEngine(settings: RedactionSettings, presidio?: PresidioOptions): RedactionEngine {
  return { redactor: openRedactor(settings), remotes: presidio ? [createPresidioDetector(presidio)] : [], settings };
}

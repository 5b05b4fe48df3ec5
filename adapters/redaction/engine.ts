import type { RedactionSettings } from '../../contracts/redaction.ts';
import type { RedactionEngine } from '../../domain/redaction/exit-port.ts';
import { openRedactor } from './open-redactor.ts';

/** What the exits of a process use, by the project's settings. @throws TollgateError `invalidInput` for patterns that may not run. */
export function openEngine(settings: RedactionSettings): RedactionEngine {
  return { redactor: openRedactor(settings), remotes: [], settings };
}

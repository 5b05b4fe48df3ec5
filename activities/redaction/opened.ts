import type { JsonValue } from '../../contracts/json.ts';
import { openTokens } from '../../domain/redaction/open-tokens.ts';
import type { OpenedTokens } from '../../domain/redaction/revealed-arguments.ts';
import type { ActivityPorts } from '../ports.ts';
import type { RunOfText } from './run-redaction.ts';

/** The values behind the tokens in a value, with this worker's keys. @throws TollgateError `unreadable`, `keysUnavailable`. */
export async function openedIn({ store, redaction }: ActivityPorts, run: Pick<RunOfText, 'runKey' | 'tenant'>, value: JsonValue): Promise<OpenedTokens> {
  return await openTokens({ store, keyring: redaction.keyring }, run, value);
}

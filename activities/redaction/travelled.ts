import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { sealedValuesSchema, type Travelled, travelledSchema } from '../../contracts/travelled.ts';
import type { RedactionPlace } from '../../domain/redaction/store-port.ts';
import { mapStrings, tokensIn } from '../../domain/redaction/token-text.ts';
import { withoutInvisible } from '../../domain/redaction/sanitise.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from './opened.ts';
import { type Redacted, redactForRun, type RunOfText, type TravelledValues } from './run-redaction.ts';

interface Incoming {
  readonly place: RedactionPlace;
  readonly context: string;
  readonly travelled: Travelled | undefined;
  /** Whether tokens of the run may stand in the text, because it was shown with them. */
  readonly ofRun?: boolean;
}

/**
 * Takes a text in that came through a client: the sealed values move into the vault of the run, and the text is redacted by the
 * worker's own rules. One that an older client, or nobody's client, sent as it is, is redacted here.
 */
export async function admit<T extends JsonValue>(
  ports: ActivityPorts,
  run: RunOfText,
  { place, context, travelled, ofRun = false }: Incoming,
  value: T,
): Promise<Redacted<T>> {
  const values = travelled ? await openTravelled(ports, run, context, travelled) : new Map();
  const visible = mapStrings(value, (text) => withoutInvisible(text)) as T;
  const also = travelled?.triggers ?? [];
  return await redactForRun(ports, run, { place, genuine: { travelled: values, ofRun }, also }, visible);
}

async function openTravelled({ store, redaction }: ActivityPorts, run: RunOfText, context: string, sent: Travelled): Promise<TravelledValues> {
  const { sealed: inline, sealedDigest } = travelledSchema.parse(sent);
  const sealed = inline ?? (sealedDigest === undefined ? null : await store.getContent(sealedDigest as ContentDigest));
  if (sealed === null) {
    if (sealedDigest === undefined) return new Map();
    throw new TollgateError(
      'invalidInput',
      `The sealed values ${sealedDigest} are not in the worker's store. Do client and worker use the same TOLLGATE_HOME or DATABASE_URL?`,
    );
  }
  const opened = await redaction.keyring.openFromClient(run.tenant, Buffer.from(sealed, 'base64'), context);
  const values = sealedValuesSchema.parse(JSON.parse(Buffer.from(opened).toString('utf8')));
  return new Map(values.map(([token, type, value]) => [token, { type, value }]));
}

/** Values behind the tokens of another run that stand in `value`, for a run that goes on with its text: parent and child. */
export async function valuesOfOtherRun(ports: ActivityPorts, tenant: string, other: RunKey, value: JsonValue): Promise<TravelledValues> {
  if (tokensIn(value).length === 0) return new Map();
  const opened = await openedIn(ports, { runKey: other, tenant }, value);
  return new Map([...opened].flatMap(([token, { type, value: raw }]) => (raw === null ? [] : [[token, { type, value: raw }]])));
}

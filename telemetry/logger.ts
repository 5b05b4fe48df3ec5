import { type DestinationStream, type Logger, pino } from 'pino';
import type { JsonValue } from '../contracts/json.ts';

const SECRET_FIELDS = ['apiKey', 'authorization', 'password', 'secret', 'token', 'signedDecision'];

export interface LoggerOptions {
  readonly level: string;
  readonly name: string;
  /** Takes out of a line whatever redaction finds. There is no logger without it. */
  readonly scrub: (line: JsonValue) => JsonValue;
}

/** A logger that writes JSON lines to stderr: no value of a field that names a secret, and nothing that `scrub` finds anywhere in a line. */
export function createLogger({ level, name, scrub }: LoggerOptions): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino({ level, name, redact: { paths, censor: '[redacted]' } }, scrubbing(pino.destination({ dest: 2, sync: true }), scrub));
}

/** Every line, whatever it was made of: fields, messages, errors with their stacks, bindings of child loggers. */
function scrubbing(destination: DestinationStream, scrub: LoggerOptions['scrub']): DestinationStream {
  return { write: (line) => destination.write(`${JSON.stringify(scrub(JSON.parse(line) as JsonValue))}\n`) };
}

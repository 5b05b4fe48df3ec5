import { type Logger, pino } from 'pino';

const SECRET_FIELDS = ['apiKey', 'authorization', 'password', 'secret', 'token', 'signedDecision'];

/** A logger that writes JSON lines to stderr and never the value of a field that names a secret. */
export function createLogger({ level, name }: { readonly level: string; readonly name: string }): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino({ level, name, redact: { paths, censor: '[redacted]' } }, pino.destination({ dest: 2, sync: true }));
}

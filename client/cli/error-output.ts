import { CommanderError } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

/**
 * Prints what kept a command from being done: `error: …` on standard error, never a stack trace; with `--json` also
 * `{"error":{"type","message"}}` on standard output. It may repeat what somebody gave, so what redaction finds in it is masked.
 */
export function printError(error: unknown, json: boolean, { terminal, scrub }: Pick<CliServices, 'terminal' | 'scrub'>): ExitCode {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const { type, message: said } = describe(error);
  const message = scrub(said);
  if (json) terminal.print(JSON.stringify({ error: { type, message } }));
  terminal.note(`error: ${message}`);
  return 2;
}

function describe(error: unknown): { readonly type: string; readonly message: string } {
  if (error instanceof TollgateError) return { type: error.type, message: error.message };
  if (error instanceof CommanderError) return { type: 'usage', message: error.message.replace(/^error: /, '') };
  const message = error instanceof Error ? error.message : String(error);
  return { type: 'unexpected', message: `${message.split('\n')[0]} (unexpected; please report it with the command you ran)` };
}

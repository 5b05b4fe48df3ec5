import type { Command } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

/** `redact`, `price` and `explain-error`: JSON lines in, JSON lines out, by the very code that runs use. */
export function addLineCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('redact')
    .description('redact texts as runs do: JSON lines {"id","text"} from stdin, {"id","text","findings"} out; offsets are in the input, in UTF-16 code units')
    .option('--tenant <tenant>', 'by the settings of this tenant', 'default')
    .option('--feature <feature>', 'by the settings of this feature', 'default')
    .option('--regions <codes>', "where the people in the texts live, such as DE,AT; in place of the settings'")
    .option('--rules <json>', 'actions by type, above all others, such as \'{"email":"mask","secret":"block"}\'')
    .option('--tool-arguments', "as a tool's arguments are: what would be masked or dropped blocks", false)
    .action(async ({ toolArguments, ...options }: RedactOptions) => {
      const redact = await services.lineRedactor({ ...options, place: toolArguments ? 'toolArguments' : 'text' });
      return end(await eachLine(services, async (line) => redact(line)));
    });
  program
    .command('price')
    .description('price usage as a provider sent it: JSON lines {"id","model","usage","provider"?,"serviceTier"?,"at"?} from stdin')
    .action(async () => end(await eachLine(services, (line) => services.priceLine(line))));
  program
    .command('explain-error')
    .description('classify a provider error: JSON lines {"id","status"?,"headers"?,"body"?,"transport"?,"provider"?} from stdin')
    .action(async () => end(await eachLine(services, (line) => services.explainErrorLine(line))));
}

interface RedactOptions {
  readonly tenant: string;
  readonly feature: string;
  readonly regions?: string;
  readonly rules?: string;
  readonly toolArguments: boolean;
}

async function eachLine({ terminal }: CliServices, answer: (line: string) => Promise<string>): Promise<ExitCode> {
  for await (const line of terminal.inputLines()) if (line.trim() !== '') terminal.print(await answer(line));
  return 0;
}

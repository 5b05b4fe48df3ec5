import type { Command } from 'commander';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

/** `price` and `explain-error`: JSON lines in, JSON lines out, by the very code that runs use. */
export function addLineCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('price')
    .description('price usage as a provider sent it: JSON lines {"id","model","usage","provider"?,"serviceTier"?,"at"?} from stdin')
    .action(async () => end(await eachLine(services, (line) => services.priceLine(line))));
  program
    .command('explain-error')
    .description('classify a provider error: JSON lines {"id","status"?,"headers"?,"body"?,"transport"?,"provider"?} from stdin')
    .action(async () => end(await eachLine(services, (line) => services.explainErrorLine(line))));
}

async function eachLine({ terminal }: CliServices, answer: (line: string) => Promise<string>): Promise<ExitCode> {
  for await (const line of terminal.inputLines()) if (line.trim() !== '') terminal.print(await answer(line));
  return 0;
}

import type { Command } from 'commander';
import type { ExitCode } from './exit-code.ts';
import { addPriceCommand } from './price-command.ts';
import type { CliServices } from './services.ts';

/** `price` and `explain-error`: JSON lines in, JSON lines out, by the very code that runs use. */
export function addLineCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  addPriceCommand(program, services, end);
  program
    .command('explain-error')
    .description('classify a provider error: JSON lines {"id","status"?,"headers"?,"body"?,"transport"?,"provider"?} from stdin')
    .action(async () => {
      const { terminal } = services;
      for await (const line of terminal.inputLines()) if (line.trim() !== '') terminal.print(await services.explainErrorLine(line));
      end(0);
    });
}

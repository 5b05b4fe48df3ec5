import { Command } from 'commander';
import { addApprovalCommands } from './approval-commands.ts';
import { addBreakersCommand } from './breakers-command.ts';
import { addDelegateCommands } from './delegate-commands.ts';
import { addDoctorCommand } from './doctor-command.ts';
import { addEraseCommands } from './erase-command.ts';
import { printError } from './error-output.ts';
import type { ExitCode } from './exit-code.ts';
import { addKeyringCommand } from './keyring-command.ts';
import { addKeysCommand } from './keys-command.ts';
import { addLineCommands } from './line-commands.ts';
import { addMcpCommand } from './mcp-command.ts';
import { addProcessCommands } from './process-commands.ts';
import { addReconcileCommand } from './reconcile-command.ts';
import { addQuotasCommand } from './quotas-command.ts';
import { addReleaseCommands } from './release-commands.ts';
import { addRunCommand } from './run-command.ts';
import { addRunsCommand } from './runs-command.ts';
import type { CliServices } from './services.ts';
import { addSignDecisionCommand } from './sign-decision-command.ts';
import { addStandingCommands } from './standing-commands.ts';
import { addStopCommands } from './stop-commands.ts';
import { addStoreCommands } from './store-commands.ts';

/** Runs one command and answers its exit code. Never throws, never prints a stack trace. */
export async function runCli(args: readonly string[], services: CliServices): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const program = createProgram(services, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    return printError(error, args.includes('--json'), services);
  } finally {
    await services.close().catch(() => undefined);
  }
}

function createProgram(services: CliServices, end: (code: ExitCode) => void): Command {
  const program = new Command('tollgate')
    .description('Durable agent runs: every run within its budget, every irreversible action approved.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => services.terminal.print(text.trimEnd()), writeErr: () => undefined })
    .showSuggestionAfterError(true);
  addProcessCommands(program, services, end);
  addRunCommand(program, services, end);
  addRunsCommand(program, services, end);
  addApprovalCommands(program, services, end);
  addStopCommands(program, services, end);
  addStandingCommands(program, services, end);
  addDelegateCommands(program, services, end);
  addSignDecisionCommand(program, services, end);
  addKeysCommand(program, services, end);
  addQuotasCommand(program, services, end);
  addBreakersCommand(program, services, end);
  addKeyringCommand(program, services, end);
  addEraseCommands(program, services, end);
  addLineCommands(program, services, end);
  addReleaseCommands(program, services, end);
  addMcpCommand(program, services, end);
  addReconcileCommand(program, services, end);
  addStoreCommands(program, services, end);
  addDoctorCommand(program, services, end);
  return program;
}

import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';

interface SignOptions {
  readonly digest: string;
  readonly approve?: boolean;
  readonly deny?: boolean;
  readonly comment?: string;
}

/** `sign-decision`: a decision for one gate and one digest, to be sent by hand as a plain Temporal signal. */
export function addSignDecisionCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('sign-decision')
    .description('sign a decision and print it, for a plain signal of the Temporal UI or CLI')
    .argument('<approvalId>', 'id of the gate')
    .requiredOption('--digest <actionDigest>', 'digest of the action that the decision is about')
    .option('--approve', 'approve it')
    .option('--deny', 'deny it')
    .option('--comment <text>', 'why')
    .action(async (approvalId: string, options: SignOptions) => end(await sign(services, approvalId, options)));
}

async function sign({ runs, terminal }: CliServices, approvalId: string, { digest, approve, deny, comment }: SignOptions): Promise<ExitCode> {
  if (Boolean(approve) === Boolean(deny)) throw new TollgateError('invalidInput', 'Say what is decided: either --approve or --deny.');
  const verdict = approve ? 'approve' : 'deny';
  const signed = await runs().signDecision(approvalId, { verdict, actionDigest: digest, ...(comment === undefined ? {} : { comment }) });
  terminal.print(JSON.stringify(signed.payload));
  terminal.note(
    `Send it before ${signed.expiresAt}: temporal workflow signal --workflow-id ${JSON.stringify(signed.agentRunId)} --name ${signed.signal} --input '<the line above>'`,
  );
  return 0;
}

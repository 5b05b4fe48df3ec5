import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { ClaimResult } from '../gate-claim.ts';
import type { QuestionReport } from '../gate-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { visible } from './text.ts';

const LOOK_EVERY_MS = 500;
const DEFAULT_WAIT_SECONDS = 120;

interface AskOptions {
  readonly digest?: string;
  readonly wait: boolean;
  readonly json?: boolean;
}

/** `approvals ask`, `take`, `release`: what an approver may do at a gate beside deciding. */
export function addAttentionCommands(approvals: Command, services: CliServices, end: (code: ExitCode) => void): void {
  approvals
    .command('ask')
    .description('ask the agent something about what it wants to do; nothing is decided by it')
    .argument('<approvalId>', 'id of the gate')
    .argument('<question>', 'what to ask, at most 2000 characters')
    .option('--digest <actionDigest>', 'digest of the action that is asked about; default: the one the gate asks for')
    .option('--no-wait', 'do not wait for the answer: it stands at the gate')
    .option('--json', 'print JSON')
    .action(async (approvalId: string, question: string, options: AskOptions) => end(await ask(services, approvalId, question, options)));
  approvals
    .command('take')
    .description('show others that you are looking at a gate, for ten minutes; it binds nobody')
    .argument('<approvalId>', 'id of the gate')
    .option('--json', 'print JSON')
    .action(async (approvalId: string, { json = false }: { readonly json?: boolean }) => end(sayClaim(services, await services.runs().take(approvalId), json)));
  approvals
    .command('release')
    .description('give a gate back that you took')
    .argument('<approvalId>', 'id of the gate')
    .option('--json', 'print JSON')
    .action(async (approvalId: string, { json = false }: { readonly json?: boolean }) =>
      end(sayClaim(services, await services.runs().release(approvalId), json)),
    );
}

async function ask(services: CliServices, approvalId: string, text: string, { digest, wait, json }: AskOptions): Promise<ExitCode> {
  const { terminal } = services;
  const result = await services.runs().ask(approvalId, { text, ...(digest === undefined ? {} : { actionDigest: digest }) });
  if (result.type === 'refused') {
    if (json) terminal.print(JSON.stringify(result));
    else terminal.note(`refused (${result.reason}): ${result.message}`);
    return 1;
  }
  const question = wait && result.type === 'accepted' ? await answerTo(services, approvalId, result.questionId) : null;
  if (question) return sayAnswer(services, question, json ?? false);
  if (json) terminal.print(JSON.stringify(result));
  else terminal.note(result.type === 'accepted' ? 'The agent is asked; its answer will stand at the gate.' : `undecided: ${result.message}`);
  return result.type === 'undecided' || wait ? 3 : 0;
}

/** The question with its answer; null where none comes for a while. */
async function answerTo(services: CliServices, approvalId: string, questionId: string): Promise<QuestionReport | null> {
  const untilMs = Date.now() + DEFAULT_WAIT_SECONDS * 1_000;
  while (Date.now() < untilMs) {
    const gate = await services.runs().approval(approvalId);
    const question = gate.questions?.find((asked) => asked.questionId === questionId);
    if (question?.answer) return question;
    await sleep(LOOK_EVERY_MS);
  }
  return null;
}

function sayAnswer({ terminal }: CliServices, question: QuestionReport, json: boolean): ExitCode {
  const { answer } = question;
  if (!answer) throw new TollgateError('invariantBroken', `The question ${question.questionId} has no answer.`);
  if (json) terminal.print(JSON.stringify(question));
  else if (answer.type === 'answered') terminal.print(visible(answer.text));
  else terminal.note(`not answered (${answer.why}): ${visible(answer.message)}`);
  return answer.type === 'answered' ? 0 : 1;
}

function sayClaim({ terminal }: CliServices, result: ClaimResult, json: boolean): ExitCode {
  if (json) terminal.print(JSON.stringify(result.type === 'accepted' ? result.gate : result));
  else if (result.type === 'refused') terminal.note(`refused (${result.reason}): ${result.message}`);
  else terminal.print(result.gate.claim ? `taken until ${result.gate.claim.until}` : 'released');
  return result.type === 'accepted' ? 0 : 1;
}

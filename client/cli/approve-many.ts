import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import { type BatchAnswer, type BatchDecision, likeGates, MAX_BATCH } from '../decision-batch.ts';
import { type ExitCode, exitCodeOfDecision } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns, inline } from './text.ts';

const MAX_ARGUMENTS_SHOWN = 80;

export interface BatchOptions {
  readonly allLike?: string;
  readonly batch?: string;
  readonly comment?: string;
  readonly json?: boolean;
}

const lineSchema = z.looseObject({ approvalId: z.string().min(1), actionDigest: z.string().min(1) });

/** One decision over many gates: those of a file that names each with its digest, or, at a terminal, all that are like one. */
export async function approveMany(services: CliServices, options: BatchOptions): Promise<ExitCode> {
  const { terminal } = services;
  const decisions = options.batch === undefined ? await askForLike(services, options.allLike ?? '') : readLines(options.batch);
  if (decisions === null) {
    terminal.note('Nothing was approved.');
    return 1;
  }
  const { comment } = options;
  const answers = await services.runs().decideBatch({ verdict: 'approve', decisions, ...(comment === undefined ? {} : { comment }) });
  if (options.json) terminal.print(JSON.stringify(answers));
  else for (const line of columns(answers.map(row))) terminal.print(line);
  return worst(answers);
}

function row({ approvalId, answer }: BatchAnswer): string[] {
  return [approvalId, answer.type === 'refused' ? `refused (${answer.reason})` : answer.type, answer.message];
}

/** The gravest of the answers: one that was refused before one that nobody gave. */
function worst(answers: readonly BatchAnswer[]): ExitCode {
  const codes = answers.map(({ answer }) => exitCodeOfDecision(answer));
  return codes.includes(1) ? 1 : codes.includes(3) ? 3 : 0;
}

async function askForLike(services: CliServices, approvalId: string): Promise<BatchDecision['decisions'] | null> {
  const { terminal } = services;
  if (!terminal.isInteractive)
    throw new TollgateError(
      'invalidInput',
      'An approval must name what it approves: --all-like shows the actions and asks, which needs a terminal. Elsewhere give --batch <file> with {"approvalId","actionDigest"} lines, as "npx tollgate approvals list --json" has them.',
    );
  const door = services.runs();
  const like = likeGates(await door.approval(approvalId), await door.pendingApprovals());
  const shown = like.slice(0, MAX_BATCH);
  for (const line of columns(shown.map((gate) => [gate.agentRunId, gate.tool, inline(gate.arguments, MAX_ARGUMENTS_SHOWN), gate.destination])))
    terminal.print(line);
  if (like.length > shown.length) terminal.note(`${like.length - shown.length} more wait; a batch has ${MAX_BATCH} at most.`);
  const said = await terminal.ask(`Approve exactly these ${shown.length}? Type "yes": `);
  return said.toLowerCase() === 'yes' ? shown.map(({ approvalId: id, actionDigest }) => ({ approvalId: id, actionDigest })) : null;
}

function readLines(file: string): BatchDecision['decisions'] {
  return readFileSync(file === '-' ? 0 : file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const { approvalId, actionDigest } = readLine(line, index);
      return { approvalId, actionDigest };
    });
}

function readLine(line: string, index: number): z.infer<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw new TollgateError('invalidInput', `Line ${index + 1} of the batch is no {"approvalId","actionDigest"}. Nothing was approved.`, { cause });
  }
}

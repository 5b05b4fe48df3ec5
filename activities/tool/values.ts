import { TollgateError } from '../../contracts/failures.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import { type OpenedTokens, revealArguments } from '../../domain/redaction/revealed-arguments.ts';
import { sanitise } from '../../domain/redaction/sanitise.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import { hideValues } from '../../domain/redaction/token-text.ts';
import type { ActivityPorts } from '../ports.ts';
import { orMasked } from '../redaction/or-masked.ts';
import { redactForRun, type RunOfText } from '../redaction/run-redaction.ts';

/** A shorter value may be a part of any word; what detectors find of it is redacted all the same. */
const SHORTEST_HIDDEN_VALUE = 6;

/** A call's arguments as the tool gets them, and what of them has to be taken out of its answer again. */
export interface ShownCall {
  readonly args: JsonObject;
  /** Every token of the stored arguments: the tool may give it back. */
  readonly sent: ReadonlySet<string>;
  /** Tokens whose values the tool gets. */
  readonly revealed: readonly string[];
  /** Tokens that it gets as they are. */
  readonly kept: readonly string[];
  /** Tokens whose values it needs and nobody can open any more. */
  readonly erased: readonly string[];
  readonly tokenByValue: ReadonlyMap<string, string>;
}

/**
 * Puts the values that a tool declares to need into its arguments. `own` is this worker's version of the tool, which may need less
 * than the pinned one and never gets more. Waits for nothing.
 */
export function showCall(tool: ToolDefinition, own: ToolDefinition | undefined, args: JsonObject, opened: OpenedTokens): ShownCall {
  const shown = revealArguments(args, opened, needsOf(tool, own), tool.parameters);
  const values = shown.tokens.flatMap((token): [string, string][] => {
    const value = opened.get(token)?.value ?? '';
    return value.length < SHORTEST_HIDDEN_VALUE ? [] : [[value, token]];
  });
  return { args: shown.args, sent: new Set(opened.keys()), revealed: shown.tokens, kept: shown.kept, erased: shown.erased, tokenByValue: new Map(values) };
}

/** @throws TollgateError `erased` where a value that the tool needs is gone; nothing is sent then. */
export function demandValues(tool: string, { erased }: ShownCall): void {
  if (erased.length === 0) return;
  throw new TollgateError('erased', `"${tool}" needs the values of ${erased.join(', ')}, whose key was destroyed by an erasure. Nothing was sent.`);
}

/** A recording stands for the tool itself and is matched by what the tool would get; its answer is redacted like any. */
function needsOf(tool: ToolDefinition, own: ToolDefinition | undefined): readonly string[] {
  if (tool.binding.type === 'recorded') return ['*'];
  const needs = tool.needs ?? [];
  return own ? needs.filter((need) => own.needs?.includes(need)) : needs;
}

/** Writes down which tokens' values a tool gets, before it gets them. */
export async function auditReveal({ store }: ActivityPorts, { runKey }: RunOfText, tool: string, callKey: string, { revealed }: ShownCall): Promise<void> {
  if (revealed.length === 0) return;
  await store.appendAudit({ type: 'vault.revealed', runKey, actor: 'tollgate', data: { tool, callKey, tokens: revealed } });
}

/** What a tool gave back, fit for the transcript. */
export interface ReceivedResult {
  readonly value: JsonValue;
  readonly flags: readonly string[];
  /** Set where policy blocks what was in it; `value` says so instead. */
  readonly isBlocked: boolean;
}

/**
 * A result or an error text of a tool: without what nobody can see, with tokens in place of values, with look-alike instructions
 * counted. One with what policy blocks is replaced by a note.
 */
export async function receiveResult(
  ports: ActivityPorts,
  run: RunOfText,
  tool: string,
  { sent, tokenByValue }: ShownCall,
  result: JsonValue,
): Promise<ReceivedResult> {
  const { value, flags } = sanitise(result, sent);
  const also = [...flags].map(([flag, count]) => ({ type: `sanitised.${flag}`, action: 'flag', count }) as const);
  const exit = { place: 'toolResult', genuine: { sent }, also, where: { tool } } as const;
  const hidden = hideValues(value, tokenByValue);
  const redacted = await orMasked(
    () => redactForRun(ports, run, exit, hidden),
    () => ({ value: createScrubber(ports.redaction).json(hidden, run), blocked: [] }),
  );
  if (redacted.blocked.length === 0) return { value: redacted.value, flags: [...flags.keys()], isBlocked: false };
  const error = `The result is not shown: it has ${redacted.blocked.join(', ')}, which redaction policy blocks. The tool did run.`;
  return { value: { error }, flags: [], isBlocked: true };
}

/** The text of an error that `receiveResult` gave out. */
export function errorText({ value }: ReceivedResult): string {
  return typeof value === 'string' ? value : String((value as { readonly error?: unknown } | null)?.error);
}

/** Why a tool refused arguments that look right to the model. */
export function hintAtNeeds(message: string, { kept }: ShownCall): string {
  if (kept.length === 0 || !message.startsWith('The arguments do not fit')) return message;
  return `${message} It got ${kept.join(', ')} as they stand here: it does not declare that it needs the values ("needs").`;
}

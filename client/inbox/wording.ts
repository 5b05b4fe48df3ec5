import { type Json, summaryOf } from './format.ts';
import type { GateReport, Problem, Standing } from './types.ts';

/** What a gate asks, and what its two answers mean. */
export interface Wording {
  readonly kind: string;
  /** What it is about, where the tool's own name says nothing to a person. */
  readonly title?: string;
  /** Over the values. */
  readonly about: string;
  /** What happens on "yes", as one sentence before the values. */
  readonly happens: string;
  readonly yes: string;
  readonly no: string;
  readonly yesDone: string;
  readonly noDone: string;
  readonly comment: string;
}

const WORDINGS: Readonly<Record<string, Wording>> = {
  action: {
    kind: 'Irreversible action',
    about: 'What will happen',
    happens: 'On approval the run does exactly this, once.',
    yes: 'Approve',
    no: 'Deny',
    yesDone: 'Approved',
    noDone: 'Denied',
    comment: 'Comment for the record (optional)',
  },
  inDoubt: {
    kind: 'Was it done?',
    about: 'What was begun',
    happens: 'This was begun, and nobody knows whether it happened. Look there, then answer. Nothing is sent either way.',
    yes: 'It was done',
    no: 'It was not done',
    yesDone: 'Noted as done',
    noDone: 'Noted as not done',
    comment: 'How do you know? (optional)',
  },
  budget: {
    kind: 'More budget',
    title: 'More budget for this run',
    about: 'What it asks for',
    happens: 'On approval the limit of this run is raised by this amount. Nothing else changes.',
    yes: 'Raise the budget',
    no: 'Don’t raise it',
    yesDone: 'Budget raised',
    noDone: 'Budget kept',
    comment: 'Comment for the record (optional)',
  },
  unavailable: {
    kind: 'No model answers',
    title: 'Try again, or answer yourself',
    about: 'What it asks for',
    happens: 'The run can try its models again, or you answer in their place, or it ends.',
    yes: 'Try again or answer',
    no: 'End the run',
    yesDone: 'Passed on',
    noDone: 'The run ends',
    comment: 'Your answer in the model’s place (leave it empty to try the models again)',
  },
};

export function wordingOf({ kind }: Pick<GateReport, 'kind'>): Wording {
  return WORDINGS[kind] ?? (WORDINGS.action as Wording);
}

/** The arguments as a person wants them: of an amount that is there twice, the one that counts. */
export function shownArguments({ kind, arguments: args }: Pick<GateReport, 'kind' | 'arguments'>): Json {
  if (kind !== 'budget' || args === null || typeof args !== 'object' || Array.isArray(args)) return args as Json;
  const fields = args as { readonly [key: string]: Json };
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !(key.endsWith('Usd') && `${key.slice(0, -3)}NanoUsd` in fields)));
}

/** A gate in one line. */
export function gateLine(gate: GateReport): string {
  return gate.kind === 'unavailable' ? wordingOf(gate).kind : summaryOf(shownArguments(gate));
}

/** Why somebody has nothing to decide here; null where they have. */
export function standingText(standing: Standing, gate: GateReport): string | null {
  switch (standing) {
    case 'otherRole':
      return `This asks for the role ${gate.role}, which you do not hold.`;
    case 'yourOwnRun':
      return 'You asked for this, and the policy wants somebody else to decide.';
    case 'countedAlready':
      return 'Somebody has decided here already who counts as the same person as you or the one you stand for, and a person counts once.';
    case 'overLimit':
      return 'It goes beyond what your role may approve. You may deny it, or change it to less.';
    default:
      return null;
  }
}

/** Why the page can't be kept up to date just now. */
export function staleText({ status }: Problem): string {
  if (status === 401) return 'You are not signed in any more.';
  return status === 429 ? 'Too many questions at once.' : 'The API does not answer just now.';
}

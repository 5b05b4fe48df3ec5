import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** `${NAME}`, `${NAME:-default}`, `${NAME:?message}`; `$$` is a dollar. */
const VARIABLE = /\$\$|\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g;

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly restart?: string;
  readonly profiles?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly container_name?: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export const composeText = read('docker-compose.yml');

/** The file with its variables filled in, as Compose does it. @throws where a required one is unset or empty. */
export function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return withoutComments(text).replace(VARIABLE, (_dollar, name: string | undefined, operator: string | undefined, rest: string) => {
    if (name === undefined) return '$';
    const value = env[name] ?? '';
    if (operator === '?' && value === '') throw new Error(`required variable ${name} is missing a value: ${rest}`);
    return value === '' && operator === '-' ? rest : value;
  });
}

export function parseCompose(env: Readonly<Record<string, string>>): Compose {
  return parse(interpolate(composeText, env), { merge: true }) as Compose;
}

/** The variables that the file reads, with how: '-' has a default, '?' is required. */
export function variablesOf(text: string): ReadonlyMap<string, string> {
  return new Map([...withoutComments(text).matchAll(VARIABLE)].flatMap((match) => (match[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const])));
}

function withoutComments(text: string): string {
  return text.replace(/^\s*#.*$/gm, '');
}

export interface ExampleSetting {
  readonly name: string;
  readonly value: string;
  /** Shown as a comment: not set by copying the file. */
  readonly isCommented: boolean;
}

export function exampleSettings(): ExampleSetting[] {
  return [...read('.env.example').matchAll(/^(# )?([A-Z_]+)=(.*)$/gm)].map((match) => ({
    name: match[2] ?? '',
    value: match[3] ?? '',
    isCommented: match[1] !== undefined,
  }));
}

/** `.env.example`, copied and filled in. */
export function filledIn(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
  const example = exampleSettings().flatMap(({ name, value, isCommented }) => (isCommented ? [] : [[name, name.endsWith('_PASSWORD') ? 'filled1n' : value]]));
  return { ...Object.fromEntries(example), ...changes };
}

export function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

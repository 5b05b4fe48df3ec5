import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { familyOf } from './policy.ts';
import { readToken, replaceTokens } from './token-text.ts';

/** The value behind a token, opened; `valueHash` computed from it. */
export interface OpenedToken {
  readonly type: string;
  /** Null where its key was destroyed. */
  readonly value: string | null;
  readonly valueHash: string;
}

export type OpenedTokens = ReadonlyMap<string, OpenedToken>;

export const NOTHING_OPENED: OpenedTokens = new Map();

/** What an action digest binds: each token together with the keyed hash of its value, so that neither can change alone. */
export function boundArguments(args: JsonObject, opened: OpenedTokens): JsonObject {
  return replaceTokens(args, (token) => {
    const found = opened.get(token);
    return found ? `${token}#${found.valueHash}` : null;
  });
}

/** What names an action among others: keyed hashes in place of tokens, whose numbers depend on the order of what was said. */
export function identifyingArguments(args: JsonObject, opened: OpenedTokens): JsonObject {
  return replaceTokens(args, (token) => {
    const found = opened.get(token);
    return found ? `${found.type}#${found.valueHash}` : null;
  });
}

export interface RevealedArguments {
  readonly args: JsonObject;
  /** Tokens that were replaced by their values. */
  readonly tokens: readonly string[];
  /** Tokens that stay, because the tool does not declare that it needs them. */
  readonly kept: readonly string[];
  /** Tokens that the tool needs and nobody can open any more. */
  readonly erased: readonly string[];
}

/** A tool's arguments with the values that it declares to need, by type, family or `*`. A number is one again where the tool's schema wants one. */
export function revealArguments(args: JsonObject, opened: OpenedTokens, needs: readonly string[], schema: JsonObject): RevealedArguments {
  const tokens = new Set<string>();
  const kept = new Set<string>();
  const erased = new Set<string>();
  const valueFor = (token: string): string | null => {
    const found = opened.get(token);
    if (!found) return null;
    const isNeeded = needs.some((need) => need === '*' || need === found.type || need === familyOf(found.type));
    (isNeeded ? (found.value === null ? erased : tokens) : kept).add(token);
    return isNeeded ? found.value : null;
  };
  const revealed = reveal(args, schema, valueFor) as JsonObject;
  return { args: revealed, tokens: [...tokens], kept: [...kept], erased: [...erased] };
}

function reveal(value: JsonValue, schema: JsonValue | undefined, valueFor: (token: string) => string | null): JsonValue {
  if (typeof value === 'string') {
    const shown = replaceTokens(value, valueFor);
    const isNumber = shown !== value && readToken(value) !== null && wantsNumber(schema) && /^-?\d+(?:\.\d+)?$/.test(shown);
    return isNumber ? Number(shown) : shown;
  }
  if (isList(value)) return value.map((item) => reveal(item, field(schema, 'items'), valueFor));
  if (typeof value !== 'object' || value === null) return value;
  const properties = field(schema, 'properties');
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [replaceTokens(key, valueFor), reveal(inner, field(properties, key), valueFor)]));
}

function wantsNumber(schema: JsonValue | undefined): boolean {
  const type = field(schema, 'type');
  return type === 'number' || type === 'integer';
}

function field(schema: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof schema !== 'object' || schema === null || isList(schema)) return undefined;
  return Object.hasOwn(schema, name) ? schema[name] : undefined;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { GoExpression, type GoValue, NotUnderstood } from './go-expression.ts';

export interface SecretCase {
  readonly rule: string;
  readonly text: string;
  /** False for what the rule must not find. */
  readonly isSecret: boolean;
}

export interface GitleaksTests {
  readonly cases: readonly SecretCase[];
  readonly rules: number;
  /** Rules none of whose lists could be read. */
  readonly unread: readonly string[];
}

const GENERATORS = 'cmd/generate/config';

/** The cases that gitleaks tests its rules with, read out of the Go files of a clone; random values are made here, by the same patterns. */
export function readGitleaksTests(folder: string): GitleaksTests {
  const forms = sampleForms(readFileSync(join(folder, GENERATORS, 'utils/generate.go'), 'utf8'));
  const cases: SecretCase[] = [];
  const unread: string[] = [];
  let rules = 0;
  const directory = join(folder, GENERATORS, 'rules');
  for (const file of readdirSync(directory)
    .filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'))
    .sort()) {
    for (const body of readFileSync(join(directory, file), 'utf8').split(/^(?=func )/m)) {
      const rule = /RuleID:\s*"([^"]+)"/.exec(body)?.[1];
      if (rule === undefined) continue;
      rules += 1;
      const read = casesOf(rule, body, forms);
      if (read.length === 0) unread.push(rule);
      cases.push(...read);
    }
  }
  return { cases, rules, unread };
}

function casesOf(rule: string, body: string, forms: readonly string[]): readonly SecretCase[] {
  const variables = new Map<string, GoValue>();
  const functions = functionsWith(forms);
  for (const statement of body.matchAll(/^\t(\w+)\s*:?=\s*/gm)) {
    try {
      variables.set(statement[1] ?? '', new GoExpression(body, statement.index + statement[0].length, variables, functions).value());
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
  }
  // Lists made of other rules' secrets are no false alarms for a detector that knows those rules too.
  const falseCases = /^\tfps\s*:=\s*\[\]string\{/m.test(body) ? variables.get('fps') : [];
  const of = (list: GoValue | undefined, isSecret: boolean) => [list ?? []].flat().map((text) => ({ rule, text, isSecret }));
  return [...of(variables.get('tps'), true), ...of(falseCases, false)];
}

function functionsWith(forms: readonly string[]): Readonly<Record<string, (...values: readonly GoValue[]) => GoValue>> {
  const text = (value: GoValue | undefined) => {
    if (typeof value !== 'string') throw new NotUnderstood('a list');
    return value;
  };
  const times = (set: string) => (size?: GoValue) => `${set}{${text(size)}}`;
  return {
    append: (...lists) => lists.flat(),
    'utils.GenerateSampleSecret': (name, secret) => `${text(name)}_api_token = "${text(secret)}"`,
    'utils.GenerateSampleSecrets': (name, secret) =>
      forms.map((form) => form.replaceAll('{i}', text(name)).replaceAll('{I}', text(name).toUpperCase()).replaceAll('{s}', text(secret))),
    'secrets.NewSecret': (pattern) => randomOf(text(pattern)),
    'secrets.NewSecretWithEntropy': (pattern) => randomOf(text(pattern)),
    'utils.Numeric': times('[0-9]'),
    'utils.Hex': times('[a-f0-9]'),
    'utils.AlphaNumeric': times('[a-z0-9]'),
    'utils.AlphaNumericExtendedShort': times('[a-z0-9_-]'),
    'utils.AlphaNumericExtended': times('[a-z0-9=_\\-]'),
    'utils.AlphaNumericExtendedLong': times('[a-z0-9\\/=_\\+\\-]'),
    'utils.Hex8_4_4_4_12': () => '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
    'strings.ToUpper': (value) => text(value).toUpperCase(),
    'strings.ToLower': (value) => text(value).toLowerCase(),
    'fmt.Sprintf': (form, ...values) => {
      const rest = [...values];
      return text(form).replace(/%[sdv]/g, () => text(rest.shift()));
    },
  };
}

let seed = 0;

/** A text that matches, its characters mixed well. */
function randomOf(pattern: string): string {
  seed += 1;
  try {
    const expression = new RegExp(`^(?:${pattern.replace(/^\(\?i\)/, '').replaceAll('\\b', '')})$`);
    return fc.sample(fc.noBias(fc.stringMatching(expression)), { numRuns: 1, seed })[0] ?? '';
  } catch (error) {
    throw new NotUnderstood(pattern, { cause: error });
  }
}

/** How `GenerateSampleSecrets` writes a secret, in a dozen languages: the map's values that are not commented out. */
function sampleForms(source: string): readonly string[] {
  const body = source.slice(source.indexOf('samples := map[string]string{'));
  return [...body.matchAll(/^\t\t"[^"]+":\s+(?=["`])/gm)].map(({ index, 0: key }) => String(new GoExpression(body, index + key.length, new Map(), {}).value()));
}

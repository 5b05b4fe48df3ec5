import { rules } from '@secretlint/secretlint-rule-preset-recommend';
import type { Finding } from '../../../domain/redaction/port.ts';

/**
 * Rules of @secretlint's recommended preset with words that a text must have, in small letters, for the rule to find anything.
 * A rule that is not named here runs on every text. Left out: `gcp` reads files (its keys are found as private keys) and
 * `filter-comments` lets a text switch the rules off.
 */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  aws: ['access'],
  npm: ['npm_', '_authtoken', 'x-oauth-basic'],
  slack: ['xox', 'xapp', 'hooks.slack.com'],
  basicauth: ['://'],
  openai: ['t3blbkfj'],
  anthropic: ['sk-ant-'],
  groq: ['gsk_'],
  huggingface: ['hf_'],
  linear: ['lin_api_'],
  notion: ['ntn_', 'secret_'],
  privatekey: ['-----begin'],
  sendgrid: ['sg.'],
  shopify: ['shppa', 'shpca', 'shpat', 'shpss'],
  stripe: ['sk_live', 'sk_test', 'rk_live', 'rk_test', 'whsec_'],
  github: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
  gitlab: ['glpat-'],
  grafana: ['glc_', 'glsa_'],
  '1password': ['ops_'],
  'database-connection-string': ['://'],
  'hashicorp-vault': ['hvs.', 'hvb.', 'hvr.'],
  vercel: ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'],
  databricks: ['dapi'],
  docker: ['dckr_pat_'],
  figma: ['figd_'],
  cloudflare: ['cfk_', 'cfut_', 'cfat_'],
  tailscale: ['tskey-'],
};
const LEFT_OUT = ['gcp', 'filter-comments'];

export interface SecretlintRule {
  readonly type: string;
  /** None: it runs on every text. */
  readonly keywords: readonly string[];
  find(text: string): readonly Finding[];
}

/** The preset's rules, called as its engine calls them, but at once: the engine answers later, and one text may not wait for another. */
export function secretlintRules(): SecretlintRule[] {
  return rules.flatMap((rule) => {
    const name = rule.meta.id.replace('@secretlint/secretlint-rule-', '');
    if (LEFT_OUT.includes(name)) return [];
    const type = `secret.${name}`;
    return [{ type, keywords: KEYWORDS[name] ?? [], find: (text: string) => findWith(rule, type, text) }];
  });
}

type Rule = (typeof rules)[number];
type RuleContext = Parameters<Rule['create']>[0];
type RuleSource = Parameters<NonNullable<ReturnType<Rule['create']>['file']>>[0];

function findWith(rule: Rule, type: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const context = {
    createTranslator: () => (messageId: string) => ({ message: messageId, messageId }),
    report: ({ range: [start, end] }: { readonly range: readonly [number, number] }) => findings.push({ type, start, end }),
    ignore: () => {},
  };
  const source = { content: text, contentType: 'text', filePath: undefined, ext: '' };
  rule.create(context as unknown as RuleContext, {} as never).file?.(source as unknown as RuleSource);
  return findings;
}

import type { Finding } from '../domain/redaction/port.ts';
import { openredaction, presidio, type Subject, secretlint, tollgate } from './support/detecting-subjects.ts';
import { readGitleaksTests, type SecretCase } from './support/gitleaks-tests.ts';
import { DATA_SETS, type LabelledText, readPresidioResearch } from './support/labelled-text.ts';
import { table } from './support/statistics.ts';

/** Some of the countries whose numbers the sentences have. */
const REGIONS = ['US', 'GB', 'DE', 'FR', 'CH', 'SE', 'NL', 'HU', 'ZA', 'AU'];
const KINDS = ['email', 'creditCard', 'iban', 'nationalId.us-ssn', 'ipAddress', 'phone', 'driversLicence', 'postalAddress'];
const isPersonal = (type: string) => !type.startsWith('secret.');
const isSecret = (type: string) => type.startsWith('secret.') || type.startsWith('url');

/** Precision and recall on labelled public material, beside others: sentences of presidio-research, rule tests of gitleaks. */
export async function benchRedactionQuality(folders: { readonly presidioResearch?: string; readonly gitleaks?: string }): Promise<string> {
  const parts: string[] = [];
  if (folders.presidioResearch) parts.push(await personalData(folders.presidioResearch));
  if (folders.gitleaks) parts.push(await secrets(folders.gitleaks));
  if (parts.length === 0) {
    process.stderr.write('Name a clone of microsoft/presidio-research (--presidio-research <folder>), of gitleaks/gitleaks (--gitleaks <folder>), or both.\n');
    process.exit(3);
  }
  return parts.join('\n\n');
}

async function personalData(folder: string): Promise<string> {
  const subjects = [
    tollgate('Tollgate', [], isPersonal),
    tollgate(`Tollgate, ${REGIONS.length} regions`, REGIONS, isPersonal),
    await presidio(),
    await openredaction(),
  ].filter((subject) => subject !== null);
  try {
    const parts: string[] = [];
    for (const [name, file] of Object.entries(DATA_SETS)) parts.push(await onSentences(name, readPresidioResearch(folder, file), subjects));
    return parts.join('\n\n');
  } finally {
    for (const subject of subjects) await subject.close?.();
  }
}

async function onSentences(name: string, texts: readonly LabelledText[], subjects: readonly Subject[]): Promise<string> {
  const columns: (readonly string[])[] = [];
  for (const subject of subjects) {
    process.stderr.write(`${name}: ${subject.name} …\n`);
    const found: (readonly Finding[])[] = [];
    for (const { text } of texts) found.push(await subject.find(text));
    columns.push([...KINDS.map((kind) => qualityOf(kind, texts, found)), strayOf(texts, found)]);
  }
  const count = (kind: string) => String(texts.reduce((sum, { labels }) => sum + labels.filter((label) => label.kind === kind).length, 0));
  const rows = [...KINDS, 'findings that touch no label of any kind'].map((kind, row) => [
    kind,
    KINDS[row] ? count(kind) : '',
    ...columns.map((column) => column[row] ?? ''),
  ]);
  return `${texts.length} sentences of ${name}: recall / precision\n\n${table(['kind', 'labels', ...subjects.map((subject) => subject.name)], rows)}`;
}

/** Recall: labels that findings of the kind cover whole. Precision: findings of the kind that touch such a label. */
function qualityOf(kind: string, texts: readonly LabelledText[], found: readonly (readonly Finding[])[]): string {
  let [labels, covered, findings, right] = [0, 0, 0, 0];
  texts.forEach((text, index) => {
    const own = text.labels.filter((label) => label.kind === kind);
    const of = (found[index] ?? []).filter(({ type }) => type === kind);
    labels += own.length;
    covered += own.filter(({ start, end }) => of.some((finding) => finding.start <= start && finding.end >= end)).length;
    findings += of.length;
    right += of.filter((finding) => own.some(({ start, end }) => finding.start < end && finding.end > start)).length;
  });
  return `${percent(covered, labels)} / ${percent(right, findings)}`;
}

function strayOf(texts: readonly LabelledText[], found: readonly (readonly Finding[])[]): string {
  const all = found.flat().length;
  const stray = texts.flatMap(({ labels }, index) =>
    (found[index] ?? []).filter((finding) => !labels.some(({ start, end }) => finding.start < end && finding.end > start)),
  );
  return `${stray.length} of ${all}`;
}

const percent = (part: number, whole: number): string => (whole === 0 ? '–' : `${Math.round((1_000 * part) / whole) / 10} %`);

async function secrets(folder: string): Promise<string> {
  const { cases, rules, unread } = readGitleaksTests(folder);
  const subjects = [tollgate('Tollgate', [], isSecret), secretlint(), await openredaction()].filter((subject) => subject !== null);
  const positives = cases.filter((one) => one.isSecret);
  const negatives = cases.filter((one) => !one.isSecret);
  const columns: (readonly string[])[] = [];
  for (const subject of subjects) {
    process.stderr.write(`gitleaks' tests: ${subject.name} …\n`);
    const caught = await caughtBy(subject, positives);
    const alarms = await caughtBy(subject, negatives);
    const rulesOf = (some: readonly SecretCase[]) => new Set(some.map(({ rule }) => rule));
    const missed = [...rulesOf(positives)].filter((rule) => !rulesOf(caught).has(rule));
    process.stderr.write(`  not at all: ${missed.join(', ')}\n`);
    const whole = [...rulesOf(positives)].filter((rule) => positives.every((one) => one.rule !== rule || caught.includes(one)));
    columns.push([
      percent(caught.length, positives.length),
      `${rulesOf(caught).size} of ${rulesOf(positives).size}`,
      `${whole.length} of ${rulesOf(positives).size}`,
      percent(alarms.length, negatives.length),
    ]);
  }
  const rows = [
    `secrets found, of ${positives.length}`,
    'rules of which any secret was found',
    'rules of which every secret was found',
    `false alarms, of ${negatives.length}`,
  ];
  const about = `${cases.length} cases of ${rules - unread.length} of gitleaks' ${rules} rules`;
  return `${about}\n\n${table(
    ['', ...subjects.map(({ name }) => name)],
    rows.map((row, index) => [row, ...columns.map((column) => column[index] ?? '')]),
  )}`;
}

async function caughtBy(subject: Subject, cases: readonly SecretCase[]): Promise<readonly SecretCase[]> {
  const caught: SecretCase[] = [];
  for (const one of cases) if ((await subject.find(one.text)).length > 0) caught.push(one);
  return caught;
}

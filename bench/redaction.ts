import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtInDetectors } from '../adapters/redaction/built-in.ts';
import { openRedactor } from '../adapters/redaction/open-redactor.ts';
import type { Redactor } from '../domain/redaction/port.ts';
import { createRedactor } from '../domain/redaction/redactor.ts';
import { RunTokens } from '../domain/redaction/tokens.ts';
import { show, spreadOf, table } from './support/statistics.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REGIONS = ['US', 'DE', 'GB'];
const LENGTH = 2_000_000;

/** How fast the engine is on one core with all built-in detectors, by kind of text, and each detector by itself. User CPU time. */
export async function benchRedaction({ rounds = 9 } = {}): Promise<string> {
  const texts = { prose: textOf(prose()), code: textOf(code()), json: textOf(json()), dense: textOf(dense()) };
  const all = openRedactor({ regions: REGIONS });
  const kinds = Object.entries(texts).map(([kind, text]) => {
    const { findings } = all.redactText(text, options());
    const perKb = (findings.length / (text.length / 1_000)).toFixed(2);
    const speeds = speedsOf(all, text, rounds);
    process.stderr.write(`${kind}: ${show(spreadOf(speeds), 1)} MB/s\n`);
    return [kind, perKb, show(spreadOf(speeds), 1)];
  });
  const detectors = builtInDetectors().map((detector) => {
    const alone = createRedactor({ settings: { regions: REGIONS }, detectors: [detector], ownDetectors: () => [] });
    return [detector.name, ...[texts.prose, texts.dense].map((text) => show(spreadOf(speedsOf(alone, text, rounds)), 1))];
  });
  return [table(['text', 'findings per KB', 'MB/s, all detectors'], kinds), table(['detector alone', 'MB/s, prose', 'MB/s, dense'], detectors)].join('\n\n');
}

function speedsOf(redactor: Redactor, text: string, rounds: number): number[] {
  redactor.redactText(text, options());
  return Array.from({ length: rounds }, () => {
    const before = process.cpuUsage().user;
    redactor.redactText(text, options());
    return text.length / (process.cpuUsage().user - before);
  });
}

const options = () => ({ tenant: 'bench', feature: 'bench', place: 'text', origin: 'outside', tokens: new RunTokens() }) as const;

const textOf = (piece: string): string => piece.repeat(Math.ceil(LENGTH / piece.length)).slice(0, LENGTH);

const prose = (): string => readAll('docs', '.md') + readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
const code = (): string => readAll('domain', '.ts');

function readAll(folder: string, extension: string): string {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(extension));
  return names.map((name) => readFileSync(join(ROOT, folder, name), 'utf8')).join('\n');
}

/** Orders as a shop's tool gives them back: names, streets, numbers, prices. */
function json(): string {
  const orders = Array.from({ length: 200 }, (_, index) => ({
    orderId: `W${2_378_156 + index * 7_919}`,
    status: index % 3 === 0 ? 'delivered' : 'pending',
    items: [{ name: 'Water bottle', productId: String(1_000_000_000 + index * 104_729), price: 29.95 + index, options: { colour: 'blue', size: 'M' } }],
    customer: { name: 'Yusuf Rossi', email: `yusuf.rossi${index}@example.com`, address: { street: `${index} Main Street`, zip: '19122' } },
    placedAt: new Date(1_700_000_000_000 + index * 3_600_000).toISOString(),
  }));
  return JSON.stringify(orders, null, 1);
}

/** Nearly nothing but what is to be found. The keys are made here, because literal ones would look like a leak. */
function dense(): string {
  const lines = Array.from({ length: 400 }, (_, index) => {
    const digits = String(index).padStart(4, '0');
    return [
      `mail person${index}@example.com`,
      `card 4111 1111 1111 1111`,
      `call +49 30 90${digits}21`,
      `from 10.${index % 250}.3.4`,
      `${['gh', 'p_'].join('')}${`aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF${digits}`}`,
      `password="tr0ub4dor-${digits}"`,
    ].join(', ');
  });
  return lines.join('\n');
}

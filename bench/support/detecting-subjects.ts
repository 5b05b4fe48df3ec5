import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lintSource } from '@secretlint/core';
import { creator } from '@secretlint/secretlint-rule-preset-recommend';
import { builtInDetectors } from '../../adapters/redaction/built-in.ts';
import { createPresidioDetector } from '../../adapters/redaction/presidio.ts';
import type { Finding } from '../../domain/redaction/port.ts';
import { presidioPython, startPresidio } from '../../test/support/presidio.ts';

export interface Subject {
  readonly name: string;
  find(text: string): Promise<readonly Finding[]>;
  close?(): Promise<void>;
}

/** Tollgate's built-in detectors for a tenant of these regions. */
export function tollgate(name: string, regions: readonly string[], isWanted: (type: string) => boolean): Subject {
  const detectors = builtInDetectors();
  return { name, find: async (text) => detectors.flatMap((detector) => detector.find(text, { regions })).filter(({ type }) => isWanted(type)) };
}

const PRESIDIO_ENTITIES =
  'CREDIT_CARD,CRYPTO,DATE_TIME,EMAIL_ADDRESS,IBAN_CODE,IP_ADDRESS,MAC_ADDRESS,MEDICAL_LICENSE,PHONE_NUMBER,UK_NHS,URL,US_BANK_NUMBER,US_DRIVER_LICENSE,US_ITIN,US_PASSPORT,US_SSN';
const PRESIDIO_TYPES: Readonly<Record<string, string>> = { 'presidio.us-driver-license': 'driversLicence' };

/** Presidio's patterns with context words, as it is installed from PyPI: no language model, so no names and places. Null where it can't be installed. */
export async function presidio(): Promise<Subject | null> {
  const python = presidioPython();
  if ('missing' in python) {
    process.stderr.write(`Without Presidio: ${python.missing}\n`);
    return null;
  }
  const server = await startPresidio(python.python);
  const detector = createPresidioDetector({ url: server.url, language: 'en', entities: PRESIDIO_ENTITIES.split(','), timeoutMs: 30_000 });
  return {
    name: 'Presidio, patterns only',
    find: async (text) => {
      const found = await detector.find(text, { regions: [] }, new AbortController().signal);
      return found.map((finding) => ({ ...finding, type: PRESIDIO_TYPES[finding.type] ?? finding.type }));
    },
    close: () => server.stop(),
  };
}

const OPENREDACTION = 'openredaction@1.1.5';
const OPENREDACTION_TYPES: Readonly<Record<string, string>> = {
  EMAIL: 'email',
  CREDIT_CARD: 'creditCard',
  IBAN: 'iban',
  SSN: 'nationalId.us-ssn',
  IPV4: 'ipAddress',
  IPV6: 'ipAddress',
  DRIVING_LICENSE_US: 'driversLicence',
  ADDRESS_STREET: 'postalAddress',
  ADDRESS_PO_BOX: 'postalAddress',
};

interface OpenRedaction {
  detect(text: string): Promise<{ readonly detections: readonly { readonly type: string; readonly position: readonly [number, number] }[] }>;
}

/** openredaction with all its patterns, its defaults. Null where it can't be installed. */
export async function openredaction(): Promise<Subject | null> {
  const folder = join(fileURLToPath(new URL('../../.tollgate/bench', import.meta.url)), 'openredaction');
  const entry = join(folder, 'node_modules/openredaction/dist/index.mjs');
  if (!existsSync(entry)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'bench-openredaction', private: true }));
    process.stderr.write('Installing openredaction …\n');
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', OPENREDACTION], { cwd: folder, stdio: 'inherit' });
    if (status !== 0) return null;
  }
  const { OpenRedaction } = (await import(entry)) as { OpenRedaction: new () => OpenRedaction };
  const redactor = new OpenRedaction();
  return {
    name: 'openredaction',
    find: async (text) => {
      const { detections } = await redactor.detect(text);
      return detections.map(({ type, position: [start, end] }) => ({
        type: OPENREDACTION_TYPES[type] ?? (type.startsWith('PHONE') ? 'phone' : type),
        start,
        end,
      }));
    },
  };
}

/** secretlint with its recommended preset, as its command line runs it. */
export function secretlint(): Subject {
  return {
    name: 'secretlint, recommended preset',
    find: async (text) => {
      const { messages } = await lintSource({
        source: { filePath: 'input.txt', content: text, ext: '.txt', contentType: 'text' },
        options: { config: { rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator }] }, noPhysicFilePath: true },
      } as Parameters<typeof lintSource>[0]);
      return messages.map(({ ruleId, range: [start, end] }) => ({ type: `secret.${ruleId}`, start, end }));
    },
  };
}

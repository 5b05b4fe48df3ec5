import { expect, test } from 'vitest';
import type { RemoteDetector } from '../../../domain/redaction/port.ts';
import { remoteFindings } from '../../../domain/redaction/remote-findings.ts';
import { exitOptions, sampleRedactor } from '../../support/redaction.ts';

const names = (asked: string[] = []): RemoteDetector => ({
  name: 'presidio',
  types: ['person'],
  find: (text) => {
    asked.push(text);
    return Promise.resolve([...text.matchAll(/Ann Lee|Al/g)].map(({ index, 0: name }) => ({ type: 'person', start: index, end: index + name.length })));
  },
});
const ask = (value: Parameters<typeof remoteFindings>[0], remotes: readonly RemoteDetector[]) =>
  remoteFindings(value, remotes, { regions: [] }, new AbortController().signal);

test('what a remote detector says about keys and values counts like what the others find', async () => {
  const value = { 'Ann Lee': ['to ann@example.com from Ann Lee', 'Al, Always'] };
  const { detector, failed } = await ask(value, [names()]);
  expect(failed).toEqual([]);
  expect(sampleRedactor().redactJson(value, exitOptions({ also: [detector] })).value).toEqual({
    '⟦person:1⟧': ['to ⟦email:1⟧ from ⟦person:1⟧', '⟦person:2⟧, Always'],
  });
});

test('each text is asked about once, and those without a letter not at all', async () => {
  const asked: string[] = [];
  await ask([['Ann Lee', 'Ann Lee'], '12345', '', 7, null], [names(asked)]);
  expect(asked).toEqual(['Ann Lee']);
});

test('a failure is named, and the others still count', async () => {
  const broken: RemoteDetector = { name: 'broken', types: [], find: () => Promise.reject(new Error('down')) };
  const { detector, failed } = await ask('Ann Lee', [broken, names()]);
  expect(failed).toEqual(['broken']);
  expect(detector.find('Ann Lee', { regions: [] })).toEqual([{ type: 'person', start: 0, end: 7 }]);
});

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleOf } from '../support/secret-samples.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
const KEY = `gh${'p_'}${sampleOf(['', '', '[a-zA-Z0-9]{36}', 0], 3)}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-redact-'));
  const redaction = { patterns: [{ name: 'ticket', pattern: 'TCK-\\d{6}' }], tenants: { acme: { rules: { own: 'drop' } } } };
  writeFileSync(join(folder, 'tollgate.config.ts'), `export default ${JSON.stringify({ tasks: [], redaction })};`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function redact(input: string, ...args: string[]) {
  const child = spawn(process.execPath, [BIN, 'redact', ...args], { cwd: folder, env: { PATH: process.env.PATH } });
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code: await ended, stderr, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('lines in, redacted lines with findings out, offsets in the input', async () => {
  const start = 'so 😀 '.length;
  const { code, lines } = await redact(`${JSON.stringify({ id: 'a', text: `so 😀 ${KEY}` })}\n\n${JSON.stringify({ id: 7, text: 'TCK-123456' })}`);
  expect(code).toBe(0);
  expect(lines).toEqual([
    { id: 'a', text: 'so 😀 ⟦secret.github-pat⟧', findings: [{ type: 'secret.github-pat', action: 'mask', start, end: start + KEY.length }] },
    { id: 7, text: '⟦own.ticket:1⟧', findings: [{ type: 'own.ticket', action: 'tokenise', start: 0, end: 10 }] },
  ]);
});

test('a line that is none says what is wrong with it, and the next goes on', async () => {
  const { code, lines } = await redact('nope\n[]\n{"id":1}\n{"text":"x"}\n{"id":2,"text":"x"}\n');
  expect(code).toBe(0);
  expect(lines).toEqual([
    { id: null, error: 'not a line of {"id","text"}: it is no JSON.' },
    { id: null, error: 'not a line of {"id","text"}: it is no object.' },
    { id: 1, error: 'not a line of {"id","text"}: "text" is missing.' },
    { id: null, error: 'not a line of {"id","text"}: "id" is missing.' },
    { id: 2, text: 'x', findings: [] },
  ]);
});

test('line separators of Unicode are part of a text, and so is a carriage return at its end', async () => {
  const { lines } = await redact(`{"id":1,"text":"a\u2028b\u2029c\u0085"}\r\n`);
  expect(lines).toEqual([{ id: 1, text: 'a\u2028b\u2029c\u0085', findings: [] }]);
});

test("by a tenant's settings, by rules that are given, and as a tool's arguments", async () => {
  const line = JSON.stringify({ id: 1, text: `a TCK-123456 ${KEY}` });
  expect((await redact(line, '--tenant', 'acme')).lines[0]).toMatchObject({ text: 'a  ⟦secret.github-pat⟧' });
  expect((await redact(line, '--rules', '{"own":"allow"}')).lines[0]).toMatchObject({ text: 'a TCK-123456 ⟦secret.github-pat⟧' });
  expect((await redact(line, '--tool-arguments')).lines[0]).toMatchObject({ blocked: ['secret.github-pat'] });
});

test.each([
  [['--regions', 'de'], /^error: --regions: must be an ISO 3166-1 code of two capitals.*--regions DE,AT/],
  [['--rules', '{"email":"hide"}'], /^error: --rules takes JSON such as/],
  [['--rules', 'email'], /^error: --rules takes JSON such as/],
])('%j is refused', async (args, message) => {
  const { code, stderr, lines } = await redact('{"id":1,"text":"x"}', ...args);
  expect({ code, lines }).toEqual({ code: 2, lines: [] });
  expect(stderr).toMatch(message);
});

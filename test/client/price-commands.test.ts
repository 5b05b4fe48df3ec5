import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { explanation } from '../../client/cli/price-command.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { reserve, startRun, usd } from '../support/store-contract/fixtures.ts';
import { FIXTURES_NOW_MS } from '../domain/fixtures/provider-error.ts';
import { PROVIDER_ERRORS } from '../domain/fixtures/provider-errors.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tollgate-price-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tollgate(args: readonly string[], input = ''): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { TOLLGATE_CONFIG: _config, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    input,
    cwd: folder,
    encoding: 'utf8',
    env: { ...env, TOLLGATE_HOME: folder },
  });
  return { code: status, stdout, stderr };
}
const answers = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Dates in the fixtures are relative to a clock of theirs; a command has only the real one. */
const isDated = (text: string) => /2026-1[12]-|"x-ratelimit-reset":"\d{13}"/.test(text);

test('explain-error says of every documented shape what a run would do', () => {
  const fixtures = PROVIDER_ERRORS.filter((fixture) => !isDated(JSON.stringify(fixture)));
  expect(fixtures.length).toBeGreaterThanOrEqual(80);
  const lines = fixtures.map(({ provider, status, headers, body, transport }, id) => JSON.stringify({ id, provider, status, headers, body, transport }));
  const { code, stdout } = tollgate(['explain-error'], lines.join('\n'));
  expect(code).toBe(0);
  const expected = fixtures.map(({ name, provider, status, headers, body, transport, ...verdict }, id) => ({ id, ...verdict }));
  expect(answers(stdout)).toEqual(expected);
  expect(FIXTURES_NOW_MS).toBeGreaterThan(0);
});

test("LiteLLM's map is imported, and the project prices by it", () => {
  writeFileSync(
    join(folder, 'map.json'),
    JSON.stringify({
      'house-model': { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 3e-7, output_cost_per_token: 1.2e-6 },
      'by-the-image': { mode: 'image_generation', output_cost_per_image: 0.04 },
    }),
  );
  const imported = tollgate(['price', 'import', 'map.json', '--source', 'our map', '--date', '2026-01-01']);
  expect(imported).toMatchObject({ code: 0, stdout: 'refused by-the-image: it has no price per input token (mode image_generation)\n' });
  expect(imported.stderr).toContain("prices: './tollgate.prices.json'");

  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'tollgate.config.ts'), "export default { tasks: [], prices: './tollgate.prices.json' };\n");
  const line = { id: 1, model: 'house-model', usage: { prompt_tokens: 1_000, completion_tokens: 100 } };
  const priced = tollgate(['price', '--explain'], [line, { ...line, id: 2, at: '2025-12-31' }].map((each) => JSON.stringify(each)).join('\n'));
  expect(answers(priced.stdout)).toEqual([
    expect.objectContaining({ id: 1, nanoUsd: 420_000, source: 'our map, 2026-01-01 (house-model)', effectiveAt: '2026-01-01' }),
    { id: 2, nanoUsd: null, reason: expect.stringContaining('no price is known') },
  ]);
});

test.each([
  [['price', 'import', 'nothing.json'], 2, "can't be read"],
  [['price', 'import', 'map.json', '--date', 'soon'], 2, 'no date'],
  [['price', 'import', 'map.json', '--models', 'house-modell', '--out', 'none.json'], 1, 'Nothing was imported'],
] as const)('%o ends with %i', (args, code, message) => {
  writeFileSync(join(folder, 'map.json'), '{}');
  const ended = tollgate(args);
  expect({ code: ended.code, said: ended.stderr.includes(message) }).toEqual({ code, said: true });
});

test('a person reads how a cost comes about as a table', () => {
  const shown = explanation({
    id: 'a',
    nanoUsd: 337_513,
    model: 'gpt-5-mini',
    provider: 'openai',
    source: 'the list',
    effectiveAt: '2026-01-01',
    at: '2026-11-25T12:00:00.000Z',
    serviceTier: 'flex',
    aboveInputTokens: 272_000,
    parts: [
      { kind: 'input', tokens: 1_200_000, usdPerMillion: 0.125 },
      { kind: 'output', tokens: 300, usdPerMillion: 1 },
    ],
    exactUsd: '0.0003375125',
    isReported: false,
  });
  expect(shown).toEqual([
    'a: 0.000337513 USD for gpt-5-mini of openai',
    '  input   1,200,000  ×  0.125 USD per million',
    '  output  300        ×  1 USD per million',
    '  = 0.0003375125 USD, rounded up once to 337513 nano-USD',
    '  service tier flex; above 272,000 input tokens the whole request costs more',
    '  price of 2026-11-25T12:00:00.000Z, in effect since 2026-01-01; source: the list',
    '',
  ]);
  expect(explanation({ id: 'b', nanoUsd: null, reason: 'Nobody knows it.' })).toEqual(['b: no price. Nobody knows it.', '']);
});

test('price bounds shows by which factor overruns have raised the reservations of a model', async () => {
  const before = tollgate(['price', 'bounds']);
  expect([before.code, before.stdout]).toEqual([0, 'Every reservation is the bound as computed: no provider has charged beyond one.\n']);
  const store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  const key = await startRun(store, { limitNanoUsd: usd(10_000) });
  await store.moveMoney(key, await reserve(store, key), { type: 'settle', costNanoUsd: usd(250) });
  await store.close();
  expect(JSON.parse(tollgate(['price', 'bounds', '--json']).stdout)).toMatchObject([{ model: 'gpt-5-mini', endpoint: 'openai', factor: 2.5, raises: 1 }]);
  expect(tollgate(['price', 'bounds']).stdout).toMatch(/^MODEL +ENDPOINT +FACTOR +RAISES +SINCE\ngpt-5-mini +openai +2\.5x +1 +20\d\d-/);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cliCache, resolveTemporalCli } from '../../client/dev/temporal-cli.ts';
import { loadSettings } from '../../config/load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-cache-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test("the clone keeps the CLI inside it; the package among the person's caches", () => {
  expect(cliCache(folder)).toMatch(/\.tollgate.bin$/);
  expect(cliCache(folder)).not.toContain(folder);
  expect(loadSettings({ XDG_CACHE_HOME: folder }).userCache).toBe(folder);
  for (const ignored of ['relative/cache', '']) expect(loadSettings({ XDG_CACHE_HOME: ignored }).userCache).toBe(loadSettings({}).userCache);
});

test('a cache that can not be written is named, with the ways out, before anything is fetched', async () => {
  vi.stubEnv('PATH', '');
  writeFileSync(join(folder, 'file'), '');
  const lines: string[] = [];
  await expect(resolveTemporalCli({ cacheFolder: join(folder, 'file', 'bin'), onProgress: (line) => lines.push(line) })).rejects.toMatchObject({
    type: 'temporalUnavailable',
    message: expect.stringMatching(/file.bin, which can't be written .* XDG_CACHE_HOME .* TEMPORAL_CLI_PATH .* TEMPORAL_ADDRESS/),
  });
  expect(lines).toEqual([]);
});

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../scripts/production-shape/command.ts';
import { hasGo } from '../../scripts/production-shape/temporal-build.ts';
import { composeText, filledIn, interpolate, ROOT } from '../support/compose.ts';

/** The parser that Docker Compose itself is built on. */
const VERSION = 'v2.16.2';
const CACHE = join(ROOT, '.tollgate', 'bin', `compose-go-${VERSION}`);
const BUILD_MS = 280_000;
if (!hasGo()) console.log("Skipped: Go, which builds Compose's parser, is not installed.");

interface Model {
  readonly name: string;
  readonly services: Readonly<
    Record<string, { readonly depends_on?: Record<string, { readonly required: boolean }>; readonly build?: { readonly dockerfile: string } }>
  >;
}

describe.skipIf(!hasGo())('docker-compose.yml as Compose reads it', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tollgate-compose-'));
    mkdirSync(CACHE, { recursive: true });
    const env = { ...process.env, GOBIN: CACHE };
    if (!existsSync(join(CACHE, 'cmd')))
      await runCommand('go', ['install', `github.com/compose-spec/compose-go/v2/cmd@${VERSION}`], { env, timeoutMs: BUILD_MS });
  }, BUILD_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function read(text: string): Promise<Model> {
    const file = join(folder, 'docker-compose.yml');
    writeFileSync(file, text);
    return JSON.parse(await runCommand(join(CACHE, 'cmd'), ['-format', 'json', file], { cwd: folder })) as Model;
  }

  // A dollar that stays one is written twice.
  const filled = (changes: Record<string, string> = {}) => interpolate(composeText, filledIn(changes)).replaceAll('$', '$$$$');

  test('it is accepted, with all its services', async () => {
    const { name, services } = await read(filled());
    expect(name).toBe('tollgate');
    expect(Object.keys(services).toSorted()).toEqual(
      [
        'api',
        'grafana',
        'migrate',
        'postgres',
        'prometheus',
        'simulated-provider',
        'temporal',
        'temporal-namespace',
        'temporal-schema',
        'temporal-ui',
        'worker',
        'worker-previous',
      ].toSorted(),
    );
    expect(services.migrate?.build?.dockerfile).toBe('Dockerfile');
  });

  test('the variables are written as Compose understands them: unset, each required one is named', async () => {
    const refusal = await read(composeText).then(String, (error: unknown) => String(error));
    for (const name of ['POSTGRES_ADMIN_PASSWORD', 'TEMPORAL_DB_PASSWORD', 'TOLLGATE_DB_PASSWORD'])
      expect(refusal).toContain(`required variable ${name} is missing a value`);
  });

  test('a slip would be refused', async () => {
    await expect(read(filled().replace('healthcheck:', 'healtcheck:'))).rejects.toThrow(/healtcheck/);
    await expect(read(filled().replace('restart: unless-stopped', 'restart: [always]'))).rejects.toThrow(/restart/);
  });
});

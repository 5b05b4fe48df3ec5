import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { importProblems } from './support/imports.ts';
import { LAYERS, layersAsMarkdown } from './support/layer-table.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const folders = [...new Set(LAYERS.map(({ name }) => name.split('/')[0] ?? ''))];
const files = folders.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).flatMap((name) => (name.endsWith('.ts') ? [`${folder}/${name}`] : [])),
);
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

describe('layers', () => {
  test('every import stays within the layer table', () => {
    expect(files.length).toBeGreaterThan(80);
    expect(files.flatMap((file) => importProblems(file, read(file)))).toEqual([]);
  });

  test('process.env is read in config/load.ts alone', () => {
    expect(files.filter((file) => file !== 'config/load.ts' && /process\.env\b/.test(read(file)))).toEqual([]);
  });

  test('ARCHITECTURE.md shows this table', () => {
    const table = /<!-- layers:start -->\n([\s\S]*?)\n<!-- layers:end -->/.exec(read('ARCHITECTURE.md'))?.[1];
    expect(table?.trim()).toBe(layersAsMarkdown());
  });

  test.each([
    ['workflows/agent-run/x.ts', "import OpenAI from 'openai';"],
    ['workflows/agent-run/x.ts', "import { z } from 'zod';"],
    ['workflows/agent-run/x.ts', "import { taskDefinitionSchema } from '../../contracts/task.ts';"],
    ['workflows/agent-run/x.ts', "import { callModel } from '../../activities/model/call-model.ts';"],
    ['domain/budget/x.ts', "import { readFileSync } from 'node:fs';"],
    ['domain/budget/x.ts', "import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';"],
    ['adapters/stores/x.ts', "import { Client } from '@temporalio/client';"],
    ['client/x.ts', "import { openSqliteStore } from '../adapters/stores/sqlite/sqlite-store.ts';"],
    ['client/inbox/x.ts', "import { createHttpApi } from '../http/app.ts';"],
    ['client/inbox/x.ts', "import { readFileSync } from 'node:fs';"],
    ['client/x.ts', "const store = await import('../adapters/stores/sqlite/sqlite-store.ts');"],
    ['contracts/failures.ts', "import { z } from 'zod';"],
    ['testing/x.ts', "import { expect } from 'vitest';"],
    ['worker/x.ts', "import { createAgentClient } from '../client/agent-client.ts';"],
  ])('%s may not say %s', (file, text) => {
    expect(importProblems(file, text)).toHaveLength(1);
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endOf, HttpStage } from '../support/http-stage.ts';

const PACKAGES = ['openapi-python-client==0.29.1', 'openapi-spec-validator==0.9.0'];

/** What a team writes against the generated client: starts a run, waits for its end, reads it, and meets a problem. */
const PROGRAM = `
import json, os, sys
from tollgate_client import AuthenticatedClient
from tollgate_client.api.runs import get_run, get_run_result, start_run
from tollgate_client.models import Problem, StartRunInput

client = AuthenticatedClient(base_url=os.environ["API"], token=os.environ["KEY"])
started = start_run.sync(client=client, body=StartRunInput.from_dict({"task": "hello", "input": {"message": "hi"}, "id": "from-python"}))
ended = get_run_result.sync(client=client, agent_run_id=started.agent_run_id, wait_ms=20000)
run = get_run.sync(client=client, agent_run_id=started.agent_run_id)
missing = get_run.sync(client=client, agent_run_id="no-such-run")
assert isinstance(missing, Problem), missing
print(json.dumps({"status": ended.status, "output": run.output, "settledUsd": run.ledger.settled_usd, "missing": missing.failure_type}))
`;

/** A Python environment with the generator, or why there is none. */
function pythonEnvironment(folder: string): { readonly bin: string } | { readonly missing: string } {
  const venv = join(folder, 'venv');
  const made = spawnSync('python3', ['-m', 'venv', venv], { encoding: 'utf8' });
  if (made.error) return { missing: 'there is no python3' };
  if (made.status !== 0) return { missing: `python3 can't make a virtual environment: ${made.stdout}${made.stderr}` };
  const installed = spawnSync(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...PACKAGES], {
    encoding: 'utf8',
    timeout: 240_000,
  });
  if (installed.status !== 0) return { missing: `pip can't install ${PACKAGES.join(' ')}: ${(installed.stderr ?? '').trim().split('\n').at(-1)}` };
  return { bin: join(venv, 'bin') };
}

const folder = mkdtempSync(join(tmpdir(), 'tollgate-python-'));
const python = pythonEnvironment(folder);
if ('missing' in python) process.stdout.write(`skipped: a Python client from the OpenAPI document, because ${python.missing}\n`);
const isMissing = 'missing' in python;
const tool = (name: string) => ('bin' in python ? join(python.bin, name) : name);

const stage = new HttpStage();
beforeAll(async () => {
  if (!isMissing) await stage.openWithApi();
});
afterAll(async () => {
  if (!isMissing) await stage.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, stdout, stderr } = await endOf(command, args, { cwd: folder, env: { ...process.env, ...env } });
  expect({ command, code, stdout, stderr }).toEqual({ command, code: 0, stdout, stderr });
  return stdout + stderr;
}

test.skipIf(isMissing)('a Python client generated from the OpenAPI document starts a run, waits for it and reads it', async () => {
  const document = join(folder, 'openapi.json');
  writeFileSync(document, await (await fetch(`${stage.url}/v1/openapi.json`)).text());
  await run(tool('openapi-spec-validator'), ['--schema', '3.1', document]);
  // JSON lines are a text to this generator, once it is told.
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ content_type_overrides: { 'application/x-ndjson': 'text/plain' } }));
  const output = ['--output-path', join(folder, 'client')];
  const generated = await run(tool('openapi-python-client'), ['generate', '--path', document, '--config', config, ...output]);
  expect(generated).not.toMatch(/WARNING parsing|ERROR parsing|will not be generated/i);
  writeFileSync(join(folder, 'program.py'), PROGRAM);
  const answer = await run(tool('python'), [join(folder, 'program.py')], {
    PYTHONPATH: join(folder, 'client'),
    API: stage.url,
    KEY: await stage.key('python', ['start', 'read']),
  });
  expect(JSON.parse(answer)).toEqual({
    status: 'completed',
    output: 'hello',
    settledUsd: expect.stringMatching(/^0\.0*[1-9]\d*$/),
    missing: 'notFound',
  });
  expect((await stage.run('from-python')).requester).toBe('key:python');
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { read } from '../support/compose.ts';
import { endOf, HttpStage } from '../support/http-stage.ts';
import { reserve, startRun, usd } from '../support/store-contract/fixtures.ts';
import { waitFor } from '../support/wait-for.ts';

/** What stands for the placeholders of the page, once there is something that each alert is about. */
const values: Record<string, string> = { name: 'acme', amount: '5', model: 'gpt-5-mini', endpoint: 'openai', id: 'waiting', 'task queue': 'tollgate' };
const LOST = { class: 'connectionLost', retrySameModel: true, nextCandidate: true, billed: 'unknown' } as const;
const INPUT = '{"message":"zanzibar"}';

interface Step {
  /** What it has to show. */
  readonly shows: RegExp;
  readonly values?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Exit codes that are answers; 0 where nothing is said. */
  readonly codes?: readonly number[];
}

/** Every command of the runbook, in the order in which they are tried. */
const STEPS: Readonly<Record<string, Step>> = {
  'tollgate quotas': { shows: /acme/ },
  'tollgate quotas set --tenant <name> --per day --usd <amount>': { shows: /5/ },
  'tollgate report --by task --from 1h --tenant <name>': { shows: /hello/ },
  'tollgate report --by model --from 1h': { shows: /gpt-5-mini/ },
  'tollgate runs list --tenant <name> --status running': { shows: /acme +running/ },
  'tollgate runs list --task <name> --status failed': { shows: /.*/, values: { name: 'pay' } },
  'tollgate runs show <id>': { shows: /waiting/ },
  'tollgate runs cancel <id>': { shows: /unwanted/, values: { id: 'unwanted' } },
  'tollgate approvals list': { shows: /expires[\s\S]*|pay/i },
  'tollgate approve <approvalId> --digest <actionDigest>': { shows: /approved|accepted/i },
  'tollgate deny <approvalId> --reason "…"': { shows: /denied|accepted/i, values: {} },
  'tollgate reconcile --list': { shows: /Held: / },
  'tollgate reconcile write-off <attemptId> --reason "…"': { shows: /are written off/ },
  'tollgate reconcile': { shows: /Held: / },
  'temporal schedule describe --schedule-id tollgate-reconcile-<task queue>': { shows: /tollgate-reconcile-tollgate/ },
  'tollgate breakers list': { shows: /timeout/ },
  'tollgate breakers reset <endpoint> <model>': { shows: /gpt-5-mini/ },
  'tollgate price bounds': { shows: /gpt-5-mini +openai +2\.5x/ },
  'tollgate reconcile reset-bound <model> <endpoint> --reason "…"': { shows: /as computed again/ },
  'tollgate price --explain': {
    shows: /"source":"genai-prices/,
    input: '{"id":1,"model":"gpt-5-mini","usage":{"prompt_tokens":10,"completion_tokens":5}}',
  },
  'tollgate price import <file>': { shows: /Imported 1 prices/ },
  'tollgate replay --from-namespace': { shows: /waiting|replay/i },
  // 1: it found the very things that are wrong here.
  'tollgate doctor': { shows: /held/, codes: [0, 1] },
};

let stage: HttpStage;
const start = (task: string, id: string) => stage.cli(['run', task, '--id', id, '--tenant', 'acme', '--input', '-'], INPUT);
beforeAll(async () => {
  stage = await new HttpStage().openWithApi();
  await stage.store.setQuota({ tenant: 'acme', feature: null, per: 'day', unit: 'nanoUsd', limit: 1e9 }, 'command');
  for (const [task, id] of [
    ['hello', 'answered'],
    ['pay', 'unwanted'],
    ['pay', 'waiting'],
    ['pay', 'refused'],
  ] as const)
    expect((await start(task, id)).code).toBe(0);
  const gateOf = async (id: string) => (await stage.store.listGates({ status: 'open', limit: 10 })).find(({ runKey }) => runKey.agentRunId === id);
  const [approved, denied] = await Promise.all(['waiting', 'refused'].map((id) => waitFor(`the gate of ${id}`, () => gateOf(id))));
  Object.assign(values, { approvalId: approved?.approvalId, actionDigest: approved?.actionDigest });
  Object.assign(STEPS['tollgate deny <approvalId> --reason "…"']?.values ?? {}, { approvalId: denied?.approvalId });
  const key = await startRun(stage.store, { limitNanoUsd: usd(10_000) });
  values.attemptId = await reserve(stage.store, key);
  await stage.store.reportAttempt(key, values.attemptId as never, { outcome: { type: 'failed', verdict: LOST, message: 'lost' } });
  await stage.store.moveMoney(key, await reserve(stage.store, key), { type: 'settle', costNanoUsd: usd(250) });
  await stage.store.changeBreaker({ endpoint: 'openai', model: 'gpt-5-mini' }, () => ({ status: 'open', openedAtMs: 1, openForMs: 2, reason: 'timeout' }));
  values.file = join(stage.folder, 'map.json');
  writeFileSync(values.file, JSON.stringify({ mine: { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 } }));
}, 240_000);
afterAll(() => stage?.close());

function commandsOfThePage(): string[] {
  const section = read('docs/operating.md').split('\n## Alerts\n')[1]?.split('\n## ')[0] ?? '';
  return [...new Set([...section.matchAll(/`((?:tollgate|temporal) [^`]+)`/g)].map(([, command]) => command ?? ''))];
}

/** The words of a command, with values for its placeholders. */
function wordsOf(command: string, own: Readonly<Record<string, string>>): string[] {
  const words = [...command.matchAll(/"[^"]*"|(?:[^\s<"]|<[^>]*>)+/g)].map(([word]) => word);
  return words.map((word) =>
    word
      .replaceAll('"', '')
      .replace('…', 'tried out')
      .replace(/<([^>]+)>/g, (_, name: string) => own[name] ?? values[name] ?? `no value for <${name}>`),
  );
}

test('every command that the runbook names is tried here, and no other', () => {
  expect(commandsOfThePage().toSorted()).toEqual(Object.keys(STEPS).toSorted());
});

test('every step of the runbook does what it says, where there is what its alert is about', { timeout: 600_000 }, async () => {
  for (const [command, { shows, values: own = {}, input = '', codes = [0] }] of Object.entries(STEPS)) {
    const [program, ...args] = wordsOf(command, own);
    const ended =
      program === 'temporal'
        ? await endOf(inject('temporalCli'), [...args, '--address', String(stage.environment.TEMPORAL_ADDRESS)], { env: process.env, cwd: stage.folder })
        : await stage.cli(args, input);
    const said = `${ended.stdout}${ended.stderr}`;
    expect(codes, `${command}\n${said}`).toContain(ended.code);
    expect(said, command).toMatch(shows);
  }
});

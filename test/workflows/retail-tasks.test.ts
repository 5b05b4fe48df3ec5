import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openLocalKeyring } from '../../adapters/keys/local-keyring.ts';
import { openTokens } from '../../domain/redaction/open-tokens.ts';
import { replaceTokens } from '../../domain/redaction/token-text.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { Effect } from '../../contracts/tool.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DATA = join(ROOT, '..', 'shared', 'data', 'retail-agent-tasks');
const isThere = existsSync(join(DATA, 'tasks.jsonl'));
const run = promisify(execFile);

interface RecordedCall {
  readonly name: string;
  readonly arguments: Record<string, never>;
  readonly tool_result: unknown;
}
interface RecordedTask {
  readonly id: string;
  readonly user_request: string;
  readonly gold: readonly RecordedCall[];
}

const EFFECTS: Readonly<Record<string, Effect>> = { read: 'read', write: 'write', irreversible: 'irreversible', none: 'read', escalate: 'irreversible' };
const tasks = isThere
  ? readFileSync(join(DATA, 'tasks.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as RecordedTask)
  : [];
const tools = isThere ? (JSON.parse(readFileSync(join(DATA, 'tools.retail.json'), 'utf8')) as { function: { name: string }; effect: string }[]) : [];
const effectOf = new Map(tools.map((tool) => [tool.function.name, EFFECTS[tool.effect] ?? 'irreversible']));

if (!isThere) console.log(`Skipped: the recorded retail tasks are not at ${DATA}.`);

describe.skipIf(!isThere)('recorded retail tasks, given as files through the command line', () => {
  const stage = new Stage();
  beforeAll(async () => {
    const scenarios = tasks.map((task) => ({
      id: task.id,
      match: { system: `Task ${task.id}.` },
      turns: [...task.gold.map(({ name, arguments: args }) => ({ toolCalls: [{ name, arguments: args }] })), { text: `Finished ${task.id}.` }],
    }));
    await stage.open({ scenarios });
  });
  afterAll(() => stage.close());

  const cli = (...args: readonly string[]) => run(process.execPath, ['client/cli/bin.mjs', ...args], { cwd: ROOT, env: stage.environment });

  function writeFolder(task: RecordedTask): { folder: string; input: string } {
    const folder = join(stage.folder, task.id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'policy.md'), `${readFileSync(join(DATA, 'policy.retail.md'), 'utf8')}\n\nTask ${task.id}.\n`);
    writeFileSync(join(folder, 'tools.json'), JSON.stringify(tools.map((tool) => ({ ...tool, effect: EFFECTS[tool.effect] }))));
    writeFileSync(
      join(folder, 'results.jsonl'),
      task.gold.map(({ name, arguments: args, tool_result }) => JSON.stringify({ name, arguments: args, result: tool_result })).join('\n'),
    );
    writeFileSync(
      join(folder, 'task.yaml'),
      `name: ${task.id}\nprompt: ./policy.md\nmodels: [gpt-5-mini, gpt-5-nano]\nmaxOutputTokens: 1024\nbudgetUsd: 1\nmaxSteps: 30\ntools:\n  - from: ./tools.json\n    bind: { recorded: ./results.jsonl }\ngates:\n  irreversible: { approvers: 1, role: support-lead, expiresAfter: 24h }\n`,
    );
    const input = join(folder, 'input.json');
    writeFileSync(input, JSON.stringify({ message: task.user_request }));
    return { folder, input };
  }

  /** Three doors that lead to the same decision. */
  const doors: readonly ((gate: GateRecord) => Promise<unknown>)[] = [
    ({ approvalId, actionDigest }) => cli('approve', approvalId, '--digest', actionDigest),
    ({ approvalId, actionDigest, runKey }) =>
      run(inject('temporalCli'), [
        'workflow',
        'signal',
        '--address',
        stage.address,
        '--workflow-id',
        runKey.agentRunId,
        '--name',
        'approve',
        '--input',
        JSON.stringify({ approvalId, actionDigest }),
      ]),
    ({ approvalId, actionDigest, runKey }) =>
      stage.client.workflow.getHandle(runKey.agentRunId).executeUpdate('decideApproval', { args: [{ approvalId, actionDigest, verdict: 'approve' }] }),
  ];
  let nextDoor = 0;

  test.each(tasks.map((task) => [task.id, task] as const))(
    '%s: the calls made are the calls recorded, each irreversible one after its approval',
    async (id, task) => {
      const { folder, input } = writeFolder(task);
      const started = await cli('run', folder, '--input', input, '--id', id, '--json');
      expect(JSON.parse(started.stdout)).toMatchObject({ agentRunId: id });
      const handle = stage.client.workflow.getHandle(id);
      const seen = new Set<string>();
      for (const _ of task.gold.filter(({ name }) => effectOf.get(name) === 'irreversible')) {
        const gate = await waitFor(`the next gate of ${id}`, async () => {
          const open = await stage.openGate(handle);
          return seen.has(open.approvalId) ? null : open;
        });
        seen.add(gate.approvalId);
        const before = await stage.store.listToolCalls(gate.runKey);
        expect(before.some((row) => row.approvalId === gate.approvalId)).toBe(false);
        expect(before.filter((row) => row.effect === 'irreversible')).toHaveLength(seen.size - 1);
        await doors[nextDoor++ % doors.length]?.(gate);
      }
      expect(await handle.result()).toMatchObject({ status: 'completed', output: `Finished ${id}.` });
      const { runKey } = await stage.run(id);
      const calls = await stage.store.listToolCalls(runKey);
      // The journal has tokens where the recording has people's data; behind each is exactly what was recorded.
      const results = calls.map((row) => [row.tool, row.result] as const);
      const { tenant } = await stage.run(id);
      const opened = await openTokens({ store: stage.store, keyring: openLocalKeyring(stage.folder, stage.store) }, { runKey, tenant }, results);
      const recorded = replaceTokens(results, (token) => opened.get(token)?.value ?? null);
      expect(recorded).toEqual(task.gold.map(({ name, tool_result }) => [name, tool_result]));
      expect(JSON.stringify(results)).not.toMatch(/@example\.com/);
      expect(calls.every((row) => row.status === 'done')).toBe(true);
      const shown = JSON.parse((await cli('runs', 'show', id, '--json')).stdout) as { status: string; ledger: { heldUsd: string; settledUsd: string } };
      expect(shown.status).toBe('completed');
      expect(await stage.ledgerProblems(id)).toEqual([]);
      expect((await stage.store.getLedger(runKey))?.settledNanoUsd).toBe(await stage.bill(id));
    },
  );
});

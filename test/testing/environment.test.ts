import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  answer,
  approveAll,
  breaks,
  byTool,
  call,
  callAll,
  denyAll,
  hangs,
  inOrder,
  notDone,
  recorded,
  refusal,
  returns,
  startTestEnvironment,
  type TestEnvironment,
  type TurnInput,
  withFault,
} from 'tollgate/testing';
import { done, extract, findOrder, refund, support } from './support-task.ts';

let environment: TestEnvironment;
beforeAll(async () => {
  environment = await startTestEnvironment({
    tasks: [support, extract],
    approver: byTool({ refund: (gate) => (JSON.stringify(gate.arguments).includes('W-deny') ? { deny: 'not this one' } : approveAll(gate)) }),
  });
});
afterAll(() => environment?.stop());
beforeEach(() => {
  done.length = 0;
});

const ask = (message: string) => ({ message });

describe('a scripted model', () => {
  test('calls tools and answers; what it was asked and what ran can be read', async () => {
    environment.model.script([call(findOrder, { orderId: 'W-1' }), ({ toolResults }) => `It costs ${JSON.parse(toolResults[0] ?? '{}').totalCents} cents.`], {
      user: 'What is W-1?',
    });
    const run = await environment.run(support, ask('What is W-1?'));
    expect(run.outcome).toMatchObject({ status: 'completed', output: 'It costs 4900 cents.' });
    expect(await run.toolCalls()).toMatchObject([{ step: 1, tool: 'find_order', status: 'done', arguments: { orderId: 'W-1' }, result: { detail: false } }]);
    expect(done).toEqual(['find W-1']);
    const [first] = environment.model.asked.filter(({ messages }) => messages.some(({ text }) => text === 'What is W-1?'));
    expect(first).toMatchObject({ turn: 1, model: 'gpt-5-mini', system: support.prompt, tools: ['find_order', 'refund'] });
  });

  test('several calls in one reply keep their order, and the ledger is the bill', async () => {
    environment.model.script([callAll(call(findOrder, { orderId: 'W-1' }), call(findOrder, { orderId: 'W-2', detail: true })), 'Both.'], { user: 'both?' });
    const run = await environment.run(support, ask('both?'));
    expect((await run.toolCalls()).map(({ arguments: args }) => (args as { orderId: string }).orderId)).toEqual(['W-1', 'W-2']);
    const bill = await run.bill();
    expect(bill).toHaveLength(2);
    expect((await run.ledger()).settledNanoUsd).toBe(bill.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0));
    expect(await run.moneyProblems()).toEqual([]);
  });

  test('plays a model that the simulated provider does not list, at its own price, after a fault of the first', async () => {
    environment.model.script([withFault({ byModel: { 'gpt-4o-mini': { text: 'from the second', faults: [] } }, text: 'never said' }, 'serverError')], {
      user: 'fallback',
    });
    const run = await environment.run(support, ask('fallback'));
    expect(run.outcome.output).toBe('from the second');
    expect((await run.report()).attempts.map(({ model, outcome }) => [model, outcome])).toEqual([
      ['gpt-5-mini', 'serverError'],
      ['gpt-5-mini', 'serverError'],
      ['gpt-4o-mini', 'ok'],
    ]);
    expect((await run.bill()).at(-1)).toMatchObject({ model: 'gpt-4o-mini', nanoUsd: expect.any(Number) });
    expect((await run.ledger()).settledNanoUsd).toBeGreaterThan(0);
  });

  test('faults by name meet the tries that they name', async () => {
    environment.model.script([withFault('after the wait', { type: 'rateLimit', attempt: 1, retryAfterMs: 20 })], { user: 'limited' });
    const run = await environment.run(support, ask('limited'));
    expect((await run.report()).attempts.map(({ outcome }) => outcome)).toEqual(['rateLimited', 'ok']);
  });

  test('a refusal ends the run as with a real model', async () => {
    environment.model.script([refusal('I will not.')], { user: 'refuse' });
    expect((await environment.run(support, ask('refuse'))).outcome).toMatchObject({ status: 'failed', failureType: 'modelRefused' });
  });

  test.each([
    ['no script fits', 'nobody wrote this', undefined, 'No script fits this run. Its first user message is "nobody wrote this"'],
    ['the script is over', 'too short', [call(findOrder, { orderId: 'W-1' })], 'The script has 1 turns, and the model was asked for turn 2'],
    [
      'a turn throws',
      'throws',
      [
        () => {
          throw new Error('oops');
        },
      ],
      'Turn 1 of the script failed: oops',
    ],
    ['a turn is no turn', 'nonsense', [() => ({}) as never], 'Turn 1 of the script failed: This is no turn of a model'],
  ])('where %s, the run fails at once and says so', async (_why, message, script, reason) => {
    if (script) environment.model.script(script, { user: message });
    const { outcome } = await environment.run(support, ask(message));
    expect(outcome).toMatchObject({ status: 'failed', message: expect.stringContaining(reason) });
  });

  test('what is no turn is refused when it is written down', () => {
    expect(() => environment.model.script([{ texts: 'x' } as never])).toThrow('This is no turn of a model');
    expect(() => withFault('x', 'earthquake' as never)).toThrow();
  });
});

describe('gates', () => {
  test('the approver approves, the action runs once, and what was asked can be read', async () => {
    environment.model.script([call(refund, { orderId: 'W-5', amountCents: 4_900 }), 'Refunded.'], { user: 'refund W-5' });
    const run = await environment.run(support, ask('refund W-5'));
    expect(run.outcome.output).toBe('Refunded.');
    expect(done).toEqual(['refund W-5 4900']);
    const asked = environment.decisions.filter(({ gate }) => gate.agentRunId === run.agentRunId);
    expect(asked).toMatchObject([
      {
        gate: { tool: 'refund', arguments: { orderId: 'W-5', amountCents: 4_900 }, role: 'support-lead', destination: 'the payment provider' },
        result: { type: 'accepted' },
      },
    ]);
    expect(await run.gates()).toMatchObject([{ status: 'consumed', votes: [{ unverified: false }] }]);
  });

  test('a denial reaches the model and the action does not run', async () => {
    environment.model.script([call(refund, { orderId: 'W-deny', amountCents: 1 }), ({ toolResults }) => `Sorry: ${toolResults.join()}`], { user: 'deny it' });
    const run = await environment.run(support, ask('deny it'));
    expect(run.outcome.output).toContain('not this one');
    expect(await run.toolCalls()).toMatchObject([{ tool: 'refund', status: 'denied' }]);
    expect(done).toEqual([]);
  });
});

describe('tools', () => {
  const script = (user: string, calls: readonly TurnInput[]) =>
    environment.model.script([callAll(...calls), ({ toolResults }) => toolResults.join(' | ')], { user });

  test('are replaced by results, with schema, gate and defaults kept', async () => {
    const seen: unknown[] = [];
    environment.replaceTools({
      find_order: (args) => {
        seen.push(args);
        return { totalCents: 1 };
      },
      refund: returns({ refunded: 1 }),
    });
    script('replaced', [call(findOrder, { orderId: 'W-9' }), call(refund, { orderId: 'W-9', amountCents: 1 }), call('find_order', { orderId: 7 })]);
    const run = await environment.run(support, ask('replaced'));
    expect(seen).toEqual([{ orderId: 'W-9', detail: false }]);
    expect(done).toEqual([]);
    expect(run.outcome.output).toContain('{"refunded":1}');
    expect(run.outcome.output).toContain("do not fit the tool's schema");
    expect(await run.gates()).toMatchObject([{ tool: 'refund', destination: 'the payment provider' }]);
  });

  test('fail as told: tried again where nobody knows, told to the model where nothing was done', async () => {
    environment.replaceTools({ find_order: inOrder(breaks(), returns('second try'), notDone('no such order')) });
    script('failing', [call(findOrder, { orderId: 'A' })]);
    expect((await environment.run(support, ask('failing'))).outcome.output).toBe('second try');
    script('not there', [call(findOrder, { orderId: 'B' })]);
    expect((await environment.run(support, ask('not there'))).outcome.output).toContain('no such order');
  });

  test('an irreversible one that breaks is in doubt, and is never simply done again', async () => {
    let tries = 0;
    environment.replaceTools({
      refund: () => {
        tries += 1;
        throw new Error('connection lost');
      },
    });
    environment.model.script([call(refund, { orderId: 'W-7', amountCents: 1 }), 'over'], { user: 'doubt' });
    const run = await environment.start(support, ask('doubt'));
    await expect.poll(async () => (await run.report().catch(() => null))?.gates.map(({ kind }) => kind), { timeout: 10_000 }).toContain('inDoubt');
    expect((await run.ended()).status).toBe('completed');
    expect(tries).toBe(1);
  });

  test('are replayed from a recording: each line once, another call gets an error', async () => {
    environment.replaceTools(recorded([{ name: 'find_order', arguments: { orderId: 'R', detail: false }, result: 'from the recording' }]));
    script('recorded', [call(findOrder, { orderId: 'R' }), call(findOrder, { orderId: 'R' })]);
    const first = await environment.run(support, ask('recorded'));
    // Reads of one step run at once, so either may come first.
    expect(first.outcome.output?.split(' | ').sort()).toEqual([
      expect.stringContaining('from the recording'),
      expect.stringContaining('Nothing (more) is recorded'),
    ]);
    expect((await environment.run(support, ask('recorded'))).outcome.output).toContain('from the recording');
  });

  test('one that hangs ends at its time limit', async () => {
    const short = { ...support, name: 'short', limits: { toolTimeoutMs: 150 } };
    await using own = await startTestEnvironment({
      temporalAddress: environment.temporalAddress,
      tasks: [short],
      tools: { find_order: hangs() },
      model: [call(findOrder, { orderId: 'H' }), ({ toolResults }) => toolResults.join()],
    });
    expect((await own.run(short, ask('x'))).outcome.output).toContain('error');
  });
});

describe('structured output', () => {
  test('is typed, and a refinement that JSON Schema can not say is held too', async () => {
    environment.model.script([answer({ totalCents: 3, items: ['a', 'a'] }), answer({ totalCents: 3, items: ['a', 'b'] })], { user: 'receipt' });
    const run = await environment.run(extract, ask('receipt'));
    if (run.outcome.status !== 'completed') throw new Error(run.outcome.message);
    expectTypeOf(run.outcome.output).toEqualTypeOf<{ totalCents: number; items: string[] }>();
    expect(run.outcome.output).toEqual({ totalCents: 3, items: ['a', 'b'] });
    expect(run.outcome.steps).toBe(2);
    expect(environment.model.asked.at(-1)?.messages.at(-1)?.text).toContain('every item once');
  });

  test('that never fits fails by name, and there is no output', async () => {
    environment.model.script(['three'], { user: 'broken receipt', repeatLast: true });
    const { outcome } = await environment.run(extract, ask('broken receipt'));
    expect(outcome).toMatchObject({ status: 'failed', failureType: 'invalidOutput', output: null });
  });
});

describe('without an approver', () => {
  test('run() says at once at which gate it waits; the test decides by hand, as anybody', async () => {
    await using own = await startTestEnvironment({
      temporalAddress: environment.temporalAddress,
      tasks: [support],
      model: [call(refund, { orderId: 'W-1', amountCents: 5 }), 'done'],
    });
    await expect(own.run(support, ask('x'))).rejects.toThrow('It waits at a gate for "refund". No approver decides on it.');
    const run = await own.start(support, ask('y'));
    const gate = await run.gate({ tool: 'refund' });
    expect(await run.approve(gate, { name: 'eve', roles: ['intern'] })).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    expect(done).toEqual([]);
    expect(await run.approve(gate, { name: 'alice', roles: ['support-lead'] })).toMatchObject({ type: 'accepted' });
    expect((await run.ended()).status).toBe('completed');
    expect(done).toEqual(['refund W-1 5']);
  });

  test('two people are two votes', async () => {
    const double = { ...support, name: 'double', gates: { irreversible: { role: 'support-lead', approvers: 2 } } };
    await using own = await startTestEnvironment({
      temporalAddress: environment.temporalAddress,
      tasks: [double],
      approver: approveAll,
      model: [call(refund, { orderId: 'W-1', amountCents: 5 }), 'done'],
    });
    const run = await own.run(double, ask('x'));
    expect(own.decisions.map(({ result }) => result?.type)).toEqual(['accepted', 'accepted']);
    expect(await run.gates()).toMatchObject([{ approvals: 2, status: 'consumed' }]);
  });

  test('everything denied', async () => {
    await using own = await startTestEnvironment({
      temporalAddress: environment.temporalAddress,
      tasks: [support],
      approver: denyAll('closed today'),
      model: [call(refund, { orderId: 'W-1', amountCents: 5 }), 'sorry'],
    });
    expect((await own.run(support, ask('x'))).outcome.output).toBe('sorry');
    expect(done).toEqual([]);
  });
});

describe('waiting', () => {
  test('ends with where the run stands', async () => {
    environment.model.script([call('find_order', { orderId: 'W-1' }), 'Done.'], { user: 'waits' });
    const run = await environment.start(support, ask('waits'));
    await expect(run.gate({ timeoutMs: 5_000 })).rejects.toThrow('ended without an open gate');
    await expect(run.step(9)).rejects.toThrow('ended without the end of step 9');
    await run.step(1);
  });

  test('for what the approver throws ends with that', async () => {
    const broken = () => {
      throw new Error('the approver is broken');
    };
    await using own = await startTestEnvironment({
      temporalAddress: environment.temporalAddress,
      tasks: [support],
      approver: broken,
      model: [call(refund, { orderId: 'W-1', amountCents: 5 })],
    });
    await expect(own.run(support, ask('x'))).rejects.toThrow('the approver is broken');
  });
});

describe('a project with workflows of its own', () => {
  test('runs as it is deployed: the parent spends the money of its children, and the bill has all of it', async () => {
    const config = fileURLToPath(new URL('../../examples/plan-and-merge/tollgate.config.ts', import.meta.url));
    await using own = await startTestEnvironment({ config, temporalAddress: environment.temporalAddress, tools: { look_up: returns({ sold: 3 }) } });
    for (const part of ['facts', 'risks']) own.model.script([call('look_up', { product: 'flask' }), `the ${part}`], { system: `You find ${part}` });
    own.model.script(
      [
        'a plan',
        ({ messages }) =>
          messages
            .filter(({ text }) => text.includes('were found'))
            .map(({ text }) => text)
            .join('; '),
      ],
      { system: 'short reports' },
    );
    const run = await own.run('product-report', { message: 'flask, please' });
    expect(run.outcome.output).toMatch(/facts were found[\s\S]*the facts[\s\S]*risks were found[\s\S]*the risks/);
    expect(await run.bill()).toHaveLength(6);
    expect((await run.ledger()).settledNanoUsd).toBe((await run.bill()).reduce((sum, { nanoUsd }) => sum + nanoUsd, 0));
  });
});

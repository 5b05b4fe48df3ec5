import { describe, expect, test } from 'vitest';
import type { Effect } from '../../contracts/tool.ts';
import { type McpHints, raisedEffect } from '../../domain/tool/mcp-effect.ts';

const EFFECTS: readonly Effect[] = ['read', 'write', 'irreversible'];
const FLAGS = [undefined, true, false] as const;
const ALL_HINTS: readonly McpHints[] = FLAGS.flatMap((readOnlyHint) =>
  FLAGS.flatMap((destructiveHint) =>
    FLAGS.flatMap((idempotentHint) => FLAGS.map((openWorldHint) => ({ readOnlyHint, destructiveHint, idempotentHint, openWorldHint }))),
  ),
);

test('no combination of hints lowers a declared effect', () => {
  for (const effect of EFFECTS)
    for (const hints of ALL_HINTS) expect(EFFECTS.indexOf(raisedEffect(effect, hints))).toBeGreaterThanOrEqual(EFFECTS.indexOf(effect));
});

test('a server that says nothing leaves the declaration as it is', () => {
  for (const effect of EFFECTS) expect(raisedEffect(effect, {})).toBe(effect);
});

describe('what a server says outright raises', () => {
  test.each([
    ['a destructive tool is irreversible', { destructiveHint: true }, ['irreversible', 'irreversible', 'irreversible']],
    ['also one that calls itself read-only', { readOnlyHint: true, destructiveHint: true }, ['irreversible', 'irreversible', 'irreversible']],
    ['one that changes something is no read', { readOnlyHint: false }, ['write', 'write', 'irreversible']],
    ['one that does more when repeated is irreversible', { idempotentHint: false }, ['irreversible', 'irreversible', 'irreversible']],
    ['a repeatable write stays a write', { readOnlyHint: false, destructiveHint: false, idempotentHint: true }, ['write', 'write', 'irreversible']],
    ['a read that answers differently each time stays a read', { readOnlyHint: true, idempotentHint: false }, ['read', 'write', 'irreversible']],
    ['an open world raises nothing', { openWorldHint: true }, ['read', 'write', 'irreversible']],
  ] as const)('%s', (_fact, hints, raised) => {
    expect(EFFECTS.map((effect) => raisedEffect(effect, hints))).toEqual(raised);
  });
});

import { expect, test } from 'vitest';
import { isTheirs } from '../../client/http/their-gates.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');
const gate = { role: 'lead', requester: 'key:shop', votes: [] };
const vote = { approver: 'alice', roles: ['lead'], verdict: 'approve', comment: null, unverified: false, at: '' };
const edit = { editor: 'alice', at: '', comment: null, fromArguments: {}, fromDigest: '' };
const by = (roles: readonly string[], more: object = {}) => isTheirs({ isPerson: true, identity: { name: 'alice', roles } }, { ...gate, ...more }, nowMs);

test('a gate is the business of whoever holds a role it asks for, and of nobody else who comes in person', () => {
  expect([by(['lead']), by(['*']), by(['other', 'lead'])]).toEqual([true, true, true]);
  expect([by([]), by(['other']), by(['LEAD']), by(['lead '])]).toEqual([false, false, false, false]);
  expect(by(['finance'], { needs: [{ role: 'finance', approvers: 1 }] })).toBe(true);
  expect(isTheirs({ identity: { name: 'key:reader', roles: [] } }, gate, nowMs), 'a key, whose scopes and tenant say it').toBe(true);
});

test('of those it is escalated to only from then on', () => {
  const escalatesTo = { role: 'director', at: new Date(nowMs).toISOString(), escalated: false };
  expect(by(['director'], { escalatesTo })).toBe(true);
  expect(by(['director'], { escalatesTo: { ...escalatesTo, at: new Date(nowMs + 1).toISOString() } })).toBe(false);
  expect(by(['director'], { escalatesTo: { ...escalatesTo, at: new Date(nowMs + 1).toISOString(), escalated: true } })).toBe(true);
});

test('and of whoever had a part in it, whatever roles they hold by now', () => {
  for (const part of [{ requester: 'alice' }, { votes: [vote] }, { edits: [edit] }, { questions: [{ by: 'alice', text: '?', at: '' }] }])
    expect(by([], part)).toBe(true);
  expect(by([], { votes: [{ ...vote, approver: 'alice2' }], edits: [{ ...edit, editor: 'Alice' }] })).toBe(false);
});

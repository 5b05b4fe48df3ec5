import type { VNode } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { DecisionDialog, type Intent, isMixed, type Outcome, outcomeText, sendOne } from './decision.ts';
import { takesEdits } from './api.ts';
import { EditDialog } from './edit.ts';
import { plainText } from './format.ts';
import { GateView } from './gate.ts';
import { html } from './html.ts';
import { InboxList, inOrder, isMine, likeKey, mayAnswer } from './inbox.ts';
import { useKeys } from './keys.ts';
import type { Polled } from './poll.ts';
import { gatePath, runPath } from './place.ts';
import { ResultsDialog } from './results.ts';
import { go } from './router.ts';
import type { GateContext, GateReport, InboxReport, Me } from './types.ts';

const WIDE = '(min-width: 900px)';

interface InboxPageProps {
  readonly me: Me;
  readonly inbox: Polled<InboxReport>;
  readonly approvalId: string | null;
  readonly say: (text: string) => void;
  readonly onHelp: () => void;
}

/** The list and the gate beside it; on a phone one after the other. */
export function InboxPage({ me, inbox, approvalId, say, onHelp }: InboxPageProps): VNode {
  const [intent, setIntent] = useState<Intent | null>(null);
  const [mixed, setMixed] = useState<Outcome | null>(null);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [isRaw, setRaw] = useState(false);
  const [editing, setEditing] = useState<GateReport | null>(null);
  const [canEdit, setCanEdit] = useState(false);
  const [version, setVersion] = useState(0);
  const shown = useRef<GateContext | null>(null);
  const mayDecide = me.scopes.includes('decide');
  const entries = inbox.data ? inOrder(inbox.data) : [];

  // Chosen once, and not again when a more urgent one arrives: what is under somebody's hands stays there.
  useEffect(() => {
    const [first] = entries;
    if (approvalId === null && first && window.matchMedia(WIDE).matches) go(gatePath(first.gate.approvalId), { replace: true });
  }, [approvalId, entries.length]);
  useEffect(() => setRaw(false), [approvalId]);
  useEffect(() => void takesEdits().then(setCanEdit), []);
  useEffect(() => forgetGone(inbox.data, setPicked), [inbox.data]);

  const ask = (verdict: Intent['verdict'], gates: readonly GateReport[]) => {
    if (gates.length > 0) setIntent({ verdict, gates });
  };
  const askShown = (verdict: Intent['verdict']) => {
    const context = shown.current;
    if (context?.gate.approvalId === approvalId && mayAnswer(context, verdict) && mayDecide) ask(verdict, [context.gate]);
  };
  const edit = () => {
    const context = shown.current;
    if (canEdit && context?.gate.approvalId === approvalId && context?.gate.kind === 'action' && isMine(context) && mayDecide) setEditing(context.gate);
  };
  const askPicked = (verdict: Intent['verdict']) => {
    const chosen = entries.filter((entry) => picked.has(entry.gate.approvalId) && mayAnswer(entry, verdict));
    if (new Set(chosen.map(likeKey)).size === 1)
      ask(
        verdict,
        chosen.map(({ gate }) => gate),
      );
  };
  const decideByKey = (verdict: Intent['verdict']) => (picked.size > 0 ? askPicked(verdict) : askShown(verdict));
  const refresh = () => {
    setVersion((count) => count + 1);
    inbox.refresh();
  };
  const close = (outcome: Outcome | null) => {
    setIntent(null);
    if (!outcome) return;
    if (isMixed(outcome)) setMixed(outcome);
    else say(outcomeText(outcome));
    setPicked(new Set());
    refresh();
  };
  const withdraw = async () => {
    const context = shown.current;
    if (!context || context.gate.approvalId !== approvalId || context.standing !== 'youHaveDecided') return;
    const decided = await sendOne(context.gate, { verdict: 'withdraw', actionDigest: context.gate.actionDigest });
    say(decided.type === 'refused' ? `It was not taken back. ${plainText(decided.problem.detail)}` : decided.message);
    refresh();
  };
  const pick = (ids: readonly string[], isPicked: boolean) =>
    setPicked((before) => new Set(isPicked ? [...before, ...ids] : [...before].filter((id) => !ids.includes(id))));
  const pickLike = () => {
    const like = entries.find(({ gate }) => gate.approvalId === approvalId);
    if (like && isMine(like))
      pick(
        entries.filter((entry) => isMine(entry) && likeKey(entry) === likeKey(like)).map(({ gate }) => gate.approvalId),
        true,
      );
  };
  const move = (by: number) => {
    const at = entries.findIndex(({ gate }) => gate.approvalId === approvalId);
    const next = entries[at < 0 ? 0 : Math.max(0, Math.min(entries.length - 1, at + by))];
    if (next) go(gatePath(next.gate.approvalId));
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    a: () => decideByKey('approve'),
    d: () => decideByKey('deny'),
    e: edit,
    u: () => void withdraw(),
    r: () => setRaw((before) => !before),
    o: () => shown.current && go(runPath(shown.current.run.agentRunId)),
    x: () => approvalId && entries.some((entry) => isMine(entry) && entry.gate.approvalId === approvalId) && pick([approvalId], !picked.has(approvalId)),
    X: pickLike,
    Escape: () => {
      if (picked.size > 0) setPicked(new Set());
      else if (!window.matchMedia(WIDE).matches) go('/inbox/');
    },
    '?': onHelp,
  });
  const onShown = useCallback((context: GateContext | null) => {
    shown.current = context;
  }, []);
  useEffect(() => document.getElementById(`row-${approvalId}`)?.scrollIntoView({ block: 'nearest' }), [approvalId]);
  const actions = { approve: () => askShown('approve'), deny: () => askShown('deny'), ...(canEdit ? { edit } : {}), withdraw: () => void withdraw() };
  return html`<div class=${`panes ${approvalId === null ? 'at-list' : 'at-gate'}`}>
    <section class="pane list" aria-label="Inbox">
      <${InboxList} inbox=${inbox.data} problem=${inbox.problem} selectedId=${approvalId} picked=${picked} onPick=${pick} onBulk=${askPicked} onRetry=${inbox.refresh} mayDecide=${mayDecide} />
    </section>
    <section class="pane detail" aria-label="Gate">
      ${
        approvalId === null
          ? html`<p class="empty muted">Choose a gate on the left.</p>`
          : html`<${GateView} key=${approvalId} approvalId=${approvalId} onShown=${onShown} actions=${actions} isRaw=${isRaw} onRaw=${() => setRaw(!isRaw)} mayDecide=${mayDecide} version=${version} />`
      }
    </section>
    ${
      editing &&
      html`<${EditDialog} gate=${editing} onClose=${(said: string | null) => {
        setEditing(null);
        if (said) say(said);
        refresh();
      }} />`
    }
    ${intent && html`<${DecisionDialog} intent=${intent} onClose=${close} />`}
    ${mixed && html`<${ResultsDialog} outcome=${mixed} onClose=${() => setMixed(null)} />`}
  </div>`;
}

/** What was decided elsewhere meanwhile is not among the chosen any more. */
function forgetGone(inbox: InboxReport | null, setPicked: (change: (before: ReadonlySet<string>) => ReadonlySet<string>) => void): void {
  if (!inbox) return;
  const mine = new Set(inbox.gates.filter(isMine).map(({ gate }) => gate.approvalId));
  setPicked((before) => ([...before].every((id) => mine.has(id)) ? before : new Set([...before].filter((id) => mine.has(id)))));
}

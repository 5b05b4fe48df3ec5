import { createHash } from 'node:crypto';
import type { TranscriptHead } from '../../../contracts/agent-run.ts';
import { invariant } from '../../../contracts/failures.ts';
import type { AttemptId, ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { ModelReply, TranscriptMessage } from '../../../contracts/model.ts';
import type { ContentStore, LoadedTranscript, TranscriptStore } from '../../../domain/store/port.ts';
import { type Connection, json, jsonOrNull } from './connection.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createContentStore(db: Connection): ContentStore & TranscriptStore {
  return {
    putContent: async (body) => {
      const digest = createHash('sha256').update(body, 'utf8').digest('hex') as ContentDigest;
      db.write(() => db.run('INSERT INTO contents (digest, body) VALUES (:digest, :body) ON CONFLICT DO NOTHING', { digest, body }));
      return digest;
    },
    getContent: async (digest) => {
      // As bytes: node:sqlite cuts text at a NUL before Node 24.16.
      const row = db.read(() => db.get('SELECT CAST(body AS BLOB) AS bytes FROM contents WHERE digest = :digest', { digest }));
      return row ? Buffer.from(row.bytes as Uint8Array).toString('utf8') : null;
    },
    putNode: async (runKey, nodeId, message) => {
      db.write(() => putNode(db, runRow(db, runKey), nodeId, message));
    },
    loadTranscript: async (runKey, head) => db.read(() => loadTranscript(db, runKey, head)),
  };
}

/** Writes a transcript node inside the caller's transaction; the first content stays. */
export function putNode(db: Connection, run: number, nodeId: string, message: TranscriptMessage): void {
  db.run('INSERT INTO nodes (run, node_id, message_json) VALUES (:run, :nodeId, :message) ON CONFLICT DO NOTHING', {
    run,
    nodeId,
    message: JSON.stringify(message),
  });
}

/** Follows each reply to the head it was asked from, newest first, and turns the whole round. */
function loadTranscript(db: Connection, runKey: RunKey, newest: TranscriptHead): LoadedTranscript {
  const run = findRunRow(db, runKey) ?? -1;
  const backwards: TranscriptMessage[] = [];
  const seen = new Set<AttemptId>();
  for (let head: TranscriptHead | null = newest; head; ) {
    for (const nodeId of head.nodeIds.toReversed()) {
      const node = db.get('SELECT message_json FROM nodes WHERE run = :run AND node_id = :nodeId', { run, nodeId });
      if (!node) return { type: 'missing', what: `transcript node ${nodeId}` };
      backwards.push(json(node, 'message_json'));
    }
    if (head.attemptId === null) break;
    invariant(!seen.has(head.attemptId), `attempt ${head.attemptId} was asked from a transcript without its own reply`);
    seen.add(head.attemptId);
    const row = db.get('SELECT head_json, reply_json, model FROM attempts WHERE run = :run AND attempt_id = :attemptId', { run, attemptId: head.attemptId });
    const reply = row ? jsonOrNull<ModelReply>(row, 'reply_json') : null;
    if (!row || !reply) return { type: 'missing', what: `the reply of attempt ${head.attemptId}` };
    backwards.push(assistantMessage(reply));
    head = json<TranscriptHead>(row, 'head_json');
  }
  return { type: 'transcript', messages: backwards.reverse() };
}

function assistantMessage(reply: ModelReply): TranscriptMessage {
  const { text: said, toolCalls, providerItems, providerItemsFor } = reply;
  return { role: 'assistant', text: said, toolCalls, ...(providerItems ? { providerItems } : {}), ...(providerItemsFor ? { providerItemsFor } : {}) };
}

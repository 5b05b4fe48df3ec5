import { createHash } from 'node:crypto';
import type { TranscriptHead } from '../../../contracts/agent-run.ts';
import type { ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { TranscriptMessage } from '../../../contracts/model.ts';
import type { ContentStore, LoadedTranscript, TranscriptStore } from '../../../domain/store/port.ts';
import { type Row, text, walkTranscript } from '../rows.ts';
import type { Database, Session } from './database.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createContentStore(db: Database): ContentStore & TranscriptStore {
  return {
    putContent: async (content, owner) => {
      // Bytes, because Postgres takes no text with a NUL character in it.
      const body = Buffer.from(content, 'utf8');
      const digest = createHash('sha256').update(body).digest('hex') as ContentDigest;
      const run = owner ? await runRow(db, owner) : null;
      await db.all('INSERT INTO contents (digest, body, run) VALUES (:digest, :body, :run) ON CONFLICT DO NOTHING', { digest, body, run });
      return digest;
    },
    getContent: async (digest) => {
      const row = await db.get('SELECT body FROM contents WHERE digest = :digest', { digest });
      return row ? (row.body as Buffer).toString('utf8') : null;
    },
    putNode: async (runKey, nodeId, message) => putNode(db, await runRow(db, runKey), nodeId, message),
    loadTranscript: (runKey, head, after) => loadTranscript(db, runKey, head, after),
  };
}

/** Writes a transcript node; the first content stays. */
export async function putNode(session: Session, run: number, nodeId: string, message: TranscriptMessage): Promise<void> {
  await session.all('INSERT INTO nodes (run, node_id, message_json) VALUES (:run, :nodeId, :message) ON CONFLICT DO NOTHING', {
    run,
    nodeId,
    message: JSON.stringify(message),
  });
}

/** Attempts before nodes: the nodes that an attempt was asked from are older than the attempt, and none ever changes. */
async function loadTranscript(session: Session, runKey: RunKey, head: TranscriptHead, after?: TranscriptHead): Promise<LoadedTranscript> {
  const run = (await findRunRow(session, runKey)) ?? -1;
  const attempts = 'SELECT attempt_id, head_json, reply_json FROM attempts WHERE run = :run AND reply_json IS NOT NULL';
  const nodes = 'SELECT node_id, message_json FROM nodes WHERE run = :run';
  if (after) {
    // A step is asked from right after the one before, as a rule.
    const { attemptId, nodeIds } = head;
    const newest = await session.all(`${attempts} AND attempt_id = :attemptId`, { run, attemptId });
    const tail = walkRows(newest, await session.all(`${nodes} AND node_id = ANY (:nodeIds::text[])`, { run, nodeIds }), head, after);
    if (tail.type === 'transcript') return tail;
  }
  const all = await session.all(attempts, { run });
  return walkRows(all, await session.all(nodes, { run }), head, after);
}

function walkRows(attempts: readonly Row[], nodes: readonly Row[], head: TranscriptHead, after: TranscriptHead | undefined): LoadedTranscript {
  const attemptsById = new Map(attempts.map((row) => [text(row, 'attempt_id'), row]));
  const nodesById = new Map(nodes.map((row) => [text(row, 'node_id'), row]));
  return walkTranscript({ node: (nodeId) => nodesById.get(nodeId), attempt: (attemptId) => attemptsById.get(attemptId) }, head, after);
}

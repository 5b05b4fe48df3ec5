import { createHash } from 'node:crypto';
import type { TranscriptHead } from '../../../contracts/agent-run.ts';
import type { ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { TranscriptMessage } from '../../../contracts/model.ts';
import type { ContentStore, LoadedTranscript, TranscriptStore } from '../../../domain/store/port.ts';
import { text, walkTranscript } from '../rows.ts';
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
    loadTranscript: (runKey, head) => loadTranscript(db, runKey, head),
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
async function loadTranscript(session: Session, runKey: RunKey, head: TranscriptHead): Promise<LoadedTranscript> {
  const run = (await findRunRow(session, runKey)) ?? -1;
  const attempts = await session.all('SELECT attempt_id, head_json, reply_json FROM attempts WHERE run = :run AND reply_json IS NOT NULL', { run });
  const nodes = await session.all('SELECT node_id, message_json FROM nodes WHERE run = :run', { run });
  const attemptsById = new Map(attempts.map((row) => [text(row, 'attempt_id'), row]));
  const nodesById = new Map(nodes.map((row) => [text(row, 'node_id'), row]));
  return walkTranscript({ node: (nodeId) => nodesById.get(nodeId), attempt: (attemptId) => attemptsById.get(attemptId) }, head);
}

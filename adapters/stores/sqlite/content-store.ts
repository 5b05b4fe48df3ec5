import { createHash } from 'node:crypto';
import type { TranscriptHead } from '../../../contracts/agent-run.ts';
import type { ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { TranscriptMessage } from '../../../contracts/model.ts';
import type { ContentStore, LoadedTranscript, TranscriptStore } from '../../../domain/store/port.ts';
import { walkTranscript } from '../rows.ts';
import type { Connection } from './connection.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createContentStore(db: Connection): ContentStore & TranscriptStore {
  return {
    putContent: async (body, owner) => {
      const digest = createHash('sha256').update(body, 'utf8').digest('hex') as ContentDigest;
      await db.write(() => {
        const run = owner ? runRow(db, owner) : null;
        db.run('INSERT INTO contents (digest, body, run) VALUES (:digest, :body, :run) ON CONFLICT DO NOTHING', { digest, body, run });
      });
      return digest;
    },
    getContent: async (digest) => {
      // As bytes: node:sqlite cuts text at a NUL before Node 24.16.
      const row = db.read(() => db.get('SELECT CAST(body AS BLOB) AS bytes FROM contents WHERE digest = :digest', { digest }));
      return row ? Buffer.from(row.bytes as Uint8Array).toString('utf8') : null;
    },
    putNode: async (runKey, nodeId, message) => {
      await db.write(() => putNode(db, runRow(db, runKey), nodeId, message));
    },
    loadTranscript: async (runKey, head, after) => db.read(() => loadTranscript(db, runKey, head, after)),
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

function loadTranscript(db: Connection, runKey: RunKey, head: TranscriptHead, after?: TranscriptHead): LoadedTranscript {
  const run = findRunRow(db, runKey) ?? -1;
  return walkTranscript(
    {
      node: (nodeId) => db.get('SELECT message_json FROM nodes WHERE run = :run AND node_id = :nodeId', { run, nodeId }),
      attempt: (attemptId) => db.get('SELECT head_json, reply_json FROM attempts WHERE run = :run AND attempt_id = :attemptId', { run, attemptId }),
    },
    head,
    after,
  );
}

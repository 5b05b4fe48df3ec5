import { existsSync } from 'node:fs';
import { TollgateError } from '../../../contracts/failures.ts';
import { describeStore, type StoreSettings, storePath } from '../open-store.ts';
import type { JsonObject } from '../../../contracts/json.ts';
import { GENESIS, linkText } from '../../../domain/audit/chain.ts';
import { sha256, toAuditRow } from '../audit-row.ts';
import { RESTORED } from '../sql.ts';
import { type BackupHeader, BackupWriter, readBackup } from './file-format.ts';
import { readPostgres, writePostgres } from './postgres-tables.ts';
import { readSqlite, writeSqlite } from './sqlite-tables.ts';
import { type Cell, TABLES, type TableName, type TableSource, type TableTarget } from './tables.ts';

const INSERT_ROWS = 100;
/** Texts of 2 MB each add up. */
const INSERT_CHARACTERS = 8_000_000;

export interface BackupReport {
  readonly rows: number;
  readonly runs: number;
}

export interface RestoreReport extends BackupReport {
  readonly header: BackupHeader;
}

/**
 * Writes everything in the store, as it is at one moment, into a file that restores into either store. Workers go on.
 * The file is there whole or not at all. @throws TollgateError where it exists and `overwrite` is false.
 */
export async function backupStore(settings: StoreSettings, path: string, { overwrite }: { readonly overwrite: boolean }): Promise<BackupReport> {
  if (existsSync(path) && !overwrite) throw new TollgateError('invalidInput', `${path} exists already. Name another file, or add --force to replace it.`);
  const writer = await BackupWriter.open(path).catch((error: Error) => {
    throw new TollgateError('invalidInput', `The backup ${path} can't be written (${error.message}).`, { cause: error });
  });
  try {
    const runs = await reading(settings, async (source) => {
      await writer.header(describeStore(settings), Date.now());
      return await writeTables(writer, source);
    });
    return { rows: await writer.finish(), runs };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function writeTables(writer: BackupWriter, source: TableSource): Promise<number> {
  let runs = 0;
  for (const table of TABLES) {
    const columns = await source.columns(table);
    await writer.table(table, columns);
    for await (const row of source.rows(table, columns)) {
      if (table === 'runs') runs += 1;
      await writer.row(row);
    }
  }
  return runs;
}

/**
 * Fills the store from a backup, all of it or nothing. The file is read once through before anything is written.
 * @throws TollgateError where it is damaged, or where the store has rows and `replace` is false.
 */
export async function restoreStore(settings: StoreSettings, path: string, { replace }: { readonly replace: boolean }): Promise<RestoreReport> {
  if (!existsSync(path)) throw new TollgateError('invalidInput', `There is no file ${path}.`);
  for await (const _ of readBackup(path));
  return await writing(settings, async (target) => {
    if (replace) await target.clear();
    else if (!(await target.isEmpty()))
      throw new TollgateError(
        'invalidInput',
        `The store ${describeStore(settings)} is not empty. Restore into an empty one, or add --force to replace everything in it.`,
      );
    return await fill(target, path);
  });
}

async function fill(target: TableTarget, path: string): Promise<RestoreReport> {
  let header: BackupHeader = { tollgateBackup: 1, createdAtMs: 0, store: '' };
  let runs = 0;
  let rows = 0;
  let lastSequence = 0;
  let lastHead = 0;
  let place: { readonly table: TableName; readonly columns: readonly string[] } | null = null;
  let batch: (readonly Cell[])[] = [];
  let characters = 0;
  const flush = async () => {
    if (place && batch.length > 0) await target.insert(place.table, place.columns, batch);
    batch = [];
    characters = 0;
  };
  for await (const piece of readBackup(path)) {
    if (piece.type === 'header') ({ header } = piece);
    if (piece.type === 'table') {
      await flush();
      place = { table: piece.table, columns: piece.columns };
      await ensureColumns(target, path, place);
    }
    if (piece.type !== 'row') continue;
    rows += 1;
    if (place?.table === 'runs') runs += 1;
    if (place?.table === 'audit') lastSequence = Math.max(lastSequence, Number(piece.cells[place.columns.indexOf('sequence')]));
    if (place?.table === 'audit_heads') lastHead = Math.max(lastHead, Number(piece.cells[place.columns.indexOf('id')]));
    batch.push(piece.cells);
    characters += piece.cells.reduce<number>((sum, cell) => sum + (typeof cell === 'string' ? cell.length : 0), 0);
    if (batch.length >= INSERT_ROWS || characters >= INSERT_CHARACTERS) await flush();
  }
  await flush();
  await markRestored(target, { sequence: lastSequence + 1, head: lastHead + 1 }, { backupCreatedAtMs: header.createdAtMs, rows });
  return { header, rows, runs };
}

/** Whoever finds something missing in the journal learns that it may be missing for this reason. */
async function markRestored(target: TableTarget, { sequence, head }: { readonly sequence: number; readonly head: number }, data: JsonObject): Promise<void> {
  const atMs = await target.nowMs();
  // A chain of its own: the others go on where the backup has them.
  const tenant = `restored at ${new Date(atMs).toISOString()}`;
  const row = toAuditRow({ type: RESTORED, runKey: null, tenant, actor: 'tollgate', data, isFact: true });
  const hash = sha256(linkText(GENESIS, 1, atMs, row.entry));
  const chain = ['id', 'chain', 'sequence', 'previous_hash', 'hash', 'at_ms'];
  await target.insert('audit_heads', chain, [[head, row.chain, 1, GENESIS, hash, atMs]]);
  const columns = ['sequence', 'at_ms', 'type', 'actor', 'data_json', 'head', 'chain_sequence', 'previous_hash', 'hash', 'data_digest'];
  await target.insert('audit', columns, [[sequence, atMs, RESTORED, 'tollgate', row.data, head, 1, GENESIS, hash, row.dataDigest]]);
}

/** Columns that the backup lacks take their default; those that the store lacks would be lost. */
async function ensureColumns(
  target: TableTarget,
  path: string,
  { table, columns }: { readonly table: TableName; readonly columns: readonly string[] },
): Promise<void> {
  const known = await target.columns(table);
  const unknown = columns.filter((column) => !known.includes(column));
  if (unknown.length > 0)
    throw new TollgateError(
      'invalidInput',
      `The backup ${path} has ${unknown.map((column) => `${table}.${column}`).join(', ')}, which this store lacks: a newer Tollgate wrote it. Nothing was restored; use that one.`,
    );
}

function reading<T>(settings: StoreSettings, body: (source: TableSource) => Promise<T>): Promise<T> {
  return settings.databaseUrl === undefined ? readSqlite(storePath(settings), body) : readPostgres(settings.databaseUrl, body);
}

function writing<T>(settings: StoreSettings, body: (target: TableTarget) => Promise<T>): Promise<T> {
  return settings.databaseUrl === undefined ? writeSqlite(storePath(settings), body) : writePostgres(settings.databaseUrl, body);
}

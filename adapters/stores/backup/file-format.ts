import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import { TollgateError } from '../../../contracts/failures.ts';
import { type Cell, TABLES, type TableName } from './tables.ts';

/**
 * A backup is a text of lines, each one JSON value: a header; for each table its name and columns, then its rows as arrays;
 * and an end with the number of rows and the SHA-256 of every byte before it. It is the same from either store.
 */
const FORMAT = 1;
const WRITE_BYTES = 1_000_000;
const NEWLINE = 0x0a;

const headerSchema = z.object({ tollgateBackup: z.int().positive(), createdAtMs: z.int(), store: z.string() });
const tableSchema = z.object({ table: z.enum(TABLES), columns: z.array(z.string().regex(/^[a-z_]+$/)).min(1) });
const rowSchema = z.array(z.union([z.string(), z.int(), z.null()]));
const endSchema = z.object({ end: z.object({ rows: z.int().nonnegative() }), sha256: z.string() });

export type BackupHeader = z.infer<typeof headerSchema>;

/** What a backup says, piece by piece. */
export type BackupPiece =
  | { readonly type: 'header'; readonly header: BackupHeader }
  | { readonly type: 'table'; readonly table: TableName; readonly columns: readonly string[] }
  | { readonly type: 'row'; readonly cells: readonly Cell[] };

/** Writes a backup beside its place, and puts it there when it is whole. */
export class BackupWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  #buffer = '';
  #rows = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** For the owner only: it holds what was said and sent. */
  static async open(path: string): Promise<BackupWriter> {
    const partial = partialOf(path);
    await rm(partial, { force: true });
    return new BackupWriter(path, await open(partial, 'wx', 0o600));
  }

  async header(store: string, createdAtMs: number): Promise<void> {
    await this.#line({ tollgateBackup: FORMAT, createdAtMs, store } satisfies BackupHeader);
  }

  async table(table: TableName, columns: readonly string[]): Promise<void> {
    await this.#line({ table, columns });
  }

  async row(cells: readonly Cell[]): Promise<void> {
    this.#rows += 1;
    await this.#line(cells);
  }

  /** Answers how many rows it has. */
  async finish(): Promise<number> {
    await this.#flush();
    await this.#file.write(`${JSON.stringify({ end: { rows: this.#rows }, sha256: this.#hash.digest('hex') })}\n`);
    await this.#file.sync();
    await this.#file.close();
    await rename(partialOf(this.#path), this.#path);
    return this.#rows;
  }

  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await rm(partialOf(this.#path), { force: true });
  }

  async #line(value: object): Promise<void> {
    this.#buffer += `${JSON.stringify(value)}\n`;
    if (this.#buffer.length >= WRITE_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#buffer, 'utf8');
    this.#buffer = '';
    this.#hash.update(bytes);
    await this.#file.write(bytes);
  }
}

function partialOf(path: string): string {
  return `${path}.partial-${process.pid}`;
}

/** Reads a backup piece by piece. @throws TollgateError `invalidInput` where it is none, is damaged or cut short, by its end at the latest. */
export async function* readBackup(path: string): AsyncGenerator<BackupPiece> {
  const hash = createHash('sha256');
  let rows = 0;
  let isFirst = true;
  let hasEnded = false;
  for await (const line of linesOf(path)) {
    if (hasEnded) throw unusable(path, 'is damaged: something comes after its end');
    const value = parsed(path, line);
    const end = endSchema.safeParse(value).data;
    if (end) {
      if (end.sha256 !== hash.digest('hex') || end.end.rows !== rows) throw unusable(path, 'is damaged: its checksum is wrong');
      hasEnded = true;
      continue;
    }
    hash.update(line).update('\n');
    const piece = isFirst ? headerOf(path, value) : pieceOf(path, value);
    isFirst = false;
    if (piece.type === 'row') rows += 1;
    yield piece;
  }
  if (!hasEnded) throw unusable(path, isFirst ? 'is empty' : 'is cut short: its end is missing');
}

/** Not by `node:readline`, which also breaks lines at characters that JSON allows inside a text. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  const pending: Buffer[] = [];
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...pending.splice(0), chunk.subarray(start, end)]);
      start = end + 1;
    }
    pending.push(chunk.subarray(start));
  }
  const rest = Buffer.concat(pending);
  if (rest.length > 0) throw unusable(path, 'is cut short: its last line is not whole');
}

function parsed(path: string, line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8')) as unknown;
  } catch {
    throw unusable(path, 'is damaged, or no backup of Tollgate: a line is no JSON');
  }
}

function headerOf(path: string, value: unknown): BackupPiece {
  const header = headerSchema.safeParse(value).data;
  if (!header) throw unusable(path, 'is no backup of Tollgate');
  if (header.tollgateBackup > FORMAT)
    throw unusable(path, `has format ${header.tollgateBackup}, and this Tollgate reads up to ${FORMAT}; use the newer one that wrote it`);
  return { type: 'header', header };
}

function pieceOf(path: string, value: unknown): BackupPiece {
  if (Array.isArray(value)) {
    const cells = rowSchema.safeParse(value).data;
    if (cells) return { type: 'row', cells };
  }
  const table = tableSchema.safeParse(value).data;
  if (table) return { type: 'table', ...table };
  throw unusable(path, 'is damaged, or from a newer Tollgate: a line is neither a table nor a row of one');
}

function unusable(path: string, how: string): TollgateError {
  return new TollgateError('invalidInput', `The backup ${path} ${how}. Nothing was restored.`);
}

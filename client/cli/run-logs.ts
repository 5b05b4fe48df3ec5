import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What is read of each file, from its end. */
const MAX_BYTES = 32 * 1_048_576;
const MAX_LINES = 2_000;
const LEVELS: Readonly<Record<number, string>> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
/** What every line has, or what is known of a run that is shown already. */
const PLAIN_FIELDS = ['level', 'time', 'pid', 'hostname', 'name', 'msg', 'agentRunId', 'firstExecutionRunId'];

interface LogLine {
  readonly level: number;
  readonly time: number;
  readonly name: string;
  readonly msg: string;
  readonly agentRunId: string;
  readonly [field: string]: unknown;
}

/**
 * The lines of the log files in the data folder that are about a run, oldest first, the newest where there are many. Only `tollgate
 * dev` writes such files; elsewhere logs go where the processes' standard error goes.
 */
export function logsOfRun(home: string, agentRunId: string): readonly LogLine[] {
  const folder = join(home, 'logs');
  const lines = filesIn(folder).flatMap((file) =>
    endOf(join(folder, file))
      .split('\n')
      .flatMap((text) => parseLine(text, agentRunId)),
  );
  return lines.toSorted((one, other) => one.time - other.time).slice(-MAX_LINES);
}

/** A line as a person reads it. */
export function renderLogLine({ level, time, name, msg, ...line }: LogLine): string {
  const fields = Object.entries(line).filter(([field]) => !PLAIN_FIELDS.includes(field));
  const shown = fields.map(([field, value]) => `${field}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [new Date(time).toISOString(), (LEVELS[level] ?? String(level)).padEnd(5), name, msg, ...shown].join(' ');
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.log'));
  } catch {
    return [];
  }
}

function endOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, MAX_BYTES));
    const read = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8', 0, read);
  } finally {
    closeSync(file);
  }
}

/** Lines of other programs, and one that was cut, are none. */
function parseLine(text: string, agentRunId: string): LogLine[] {
  if (!text.includes(JSON.stringify(agentRunId))) return [];
  try {
    const line = JSON.parse(text) as Partial<LogLine>;
    return line.agentRunId === agentRunId && typeof line.time === 'number' ? [{ level: 30, name: '', msg: '', ...line } as LogLine] : [];
  } catch {
    return [];
  }
}

import { resolve } from 'node:path';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { McpCommandSpec, McpServerSpec, McpUrlSpec } from '../../../domain/task/define.ts';
import { createGuardedFetch } from '../guarded-fetch.ts';
import { ServerLog } from './server-log.ts';
import { StdioTransport } from './stdio-transport.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

export interface TransportOptions {
  /** The folder of the configuration, where relative paths begin. */
  readonly folder: string;
  /** The value of an environment variable by its name. */
  readonly secret: (name: string) => string | undefined;
  /** Whether URLs may lead to this machine. */
  readonly allowLoopback: boolean;
  readonly log: (line: string) => void;
}

export interface NewTransport {
  readonly transport: Transport;
  /** What the server has said of itself so far, for the message of an error. */
  readonly tail: () => string;
}

/** A way to a server that is not yet taken. @throws Error where a variable that the server needs is not set. */
export function createTransport(spec: McpServerSpec, options: TransportOptions): NewTransport {
  return 'command' in spec ? commandTransport(spec, options) : urlTransport(spec, options);
}

function commandTransport({ command, args = [], env = [], cwd = '.' }: McpCommandSpec, { folder, secret, log }: TransportOptions): NewTransport {
  const declared = Object.fromEntries(env.map((name) => [name, needed(secret, name)]));
  const serverLog = new ServerLog(declared, log);
  const path = secret('PATH');
  const transport = new StdioTransport({
    command,
    args,
    env: { ...(path === undefined ? {} : { PATH: path }), ...declared },
    cwd: resolve(folder, cwd),
    onStderr: (text) => serverLog.write(text),
  });
  return { transport, tail: () => serverLog.tail() };
}

function urlTransport({ url, secretHeaders = {} }: McpUrlSpec, { secret, allowLoopback }: TransportOptions): NewTransport {
  const headers = Object.fromEntries(Object.entries(secretHeaders).map(([header, name]) => [header.toLowerCase(), needed(secret, name).trim()]));
  const fetch = createGuardedFetch({ allowLoopback, maxBodyBytes: MAX_BODY_BYTES });
  return { transport: new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, fetch }) as Transport, tail: () => '' };
}

function needed(secret: TransportOptions['secret'], name: string): string {
  const value = secret(name);
  if (value === undefined) throw new Error(`the variable ${name} that it needs is not set on this machine`);
  return value;
}

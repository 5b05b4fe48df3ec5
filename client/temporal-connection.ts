import { readFile } from 'node:fs/promises';
import { Client, Connection, isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { TollgateError } from '../contracts/failures.ts';

/** How long a command waits for a Temporal server, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 4_000;

export interface TemporalAddress {
  readonly address: string;
  readonly namespace: string;
  readonly apiKey?: string;
  /** Paths of PEM files. `true` without paths: TLS with the system's own certificates. */
  readonly tls?: true | { readonly certPath?: string; readonly keyPath?: string; readonly caPath?: string };
}

export interface TemporalConnection {
  readonly client: Client;
  readonly connection: Connection;
  readonly at: TemporalAddress;
}

/**
 * Connects to Temporal within `timeoutMs`. `codec` opens and seals payloads, as the workers do.
 * @throws TollgateError of type `temporalUnavailable` that names the address and what to set.
 */
export async function connectTemporal(at: TemporalAddress, timeoutMs: number = CONNECT_TIMEOUT_MS, codec?: PayloadCodec): Promise<TemporalConnection> {
  const tls = await readTls(at.tls);
  try {
    const connecting = Connection.connect({
      address: at.address,
      connectTimeout: timeoutMs,
      ...(at.apiKey === undefined ? {} : { apiKey: at.apiKey }),
      ...(tls === undefined ? {} : { tls }),
    });
    const connection = await within(connecting, timeoutMs + 500);
    const dataConverter = codec === undefined ? {} : { dataConverter: { payloadCodecs: [codec] } };
    return { client: new Client({ connection, namespace: at.namespace, ...dataConverter }), connection, at };
  } catch (error) {
    throw unavailable(at.address, error);
  }
}

/** The connections of a process, one for each server. One that could not be made is tried again when it is next asked for. */
export class TemporalConnections {
  readonly #connections = new Map<string, Promise<TemporalConnection>>();
  readonly #codec: PayloadCodec | undefined;

  constructor(codec?: PayloadCodec) {
    this.#codec = codec;
  }

  /** @throws TollgateError of type `temporalUnavailable`. */
  async get(at: TemporalAddress, timeoutMs?: number): Promise<TemporalConnection> {
    const key = `${at.address} ${at.namespace}`;
    const known = this.#connections.get(key);
    if (known) return await known;
    const connecting = connectTemporal(at, timeoutMs, this.#codec);
    this.#connections.set(key, connecting);
    connecting.catch(() => this.#connections.delete(key));
    return await connecting;
  }

  async close(): Promise<void> {
    const open = await Promise.allSettled(this.#connections.values());
    await Promise.allSettled(open.map((result) => (result.status === 'fulfilled' ? result.value.connection.close() : undefined)));
  }
}

/** How long the namespace keeps a history after its workflow's end. */
export async function namespaceRetentionMs({ connection, at }: TemporalConnection): Promise<number> {
  const { config } = await connection.workflowService.describeNamespace({ namespace: at.namespace });
  return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1_000;
}

/** A text that stays readable in the Temporal Web UI, also where the client has a codec that seals. Nothing raw may be in it. */
export function readable(client: Client, text: string): string {
  for (const codec of client.options.loadedDataConverter.payloadCodecs) (codec as { leaveReadable?(text: string): void }).leaveReadable?.(text);
  return text;
}

/** The error for a server that does not answer. */
export function unavailable(address: string, cause: unknown): TollgateError {
  return new TollgateError(
    'temporalUnavailable',
    `No Temporal server answers at ${address} (${rootMessage(cause)}). Start one with "npx tollgate dev", or set TEMPORAL_ADDRESS (and TEMPORAL_API_KEY or the TLS paths) to one that runs.`,
    { cause },
  );
}

/** Whether a call failed because the server could not be reached, not because of what was asked. */
export function isUnavailable(error: unknown): boolean {
  const grpc = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(grpc) && NO_USABLE_SERVER.includes(grpc.code);
}

// Status codes of gRPC, https://grpc.io/docs/guides/status-codes/
const GRPC_DEADLINE_EXCEEDED = 4;
export const GRPC_INVALID_ARGUMENT = 3;
/** Unknown, deadline exceeded, permission denied, unimplemented, internal, unavailable, unauthenticated: no Temporal that works for us. */
const NO_USABLE_SERVER: readonly number[] = [2, GRPC_DEADLINE_EXCEEDED, 7, 12, 13, 14, 16];

async function readTls(
  tls: TemporalAddress['tls'],
): Promise<undefined | true | { serverRootCACertificate?: Buffer; clientCertPair?: { crt: Buffer; key: Buffer } }> {
  if (tls === undefined || tls === true) return tls;
  const { certPath, keyPath, caPath } = tls;
  return {
    ...(caPath === undefined ? {} : { serverRootCACertificate: await readPem(caPath) }),
    ...(certPath === undefined || keyPath === undefined ? {} : { clientCertPair: { crt: await readPem(certPath), key: await readPem(keyPath) } }),
  };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new TollgateError(
      'invalidInput',
      `The TLS file ${path} can't be read (${(error as NodeJS.ErrnoException).code}). Correct the TLS paths of Temporal.`,
      { cause: error },
    );
  }
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function rootMessage(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  if (isGrpcServiceError(current) && current.code === GRPC_DEADLINE_EXCEEDED) return 'no answer in time';
  return (current instanceof Error ? current.message : String(current)).split('\n')[0] ?? '';
}

import type { SearchAttributeTopic } from '../../contracts/search-attributes.ts';
import type { DataClass } from '../../domain/erasure/store-port.ts';
import type { AnchorReport } from '../../domain/audit/anchor.ts';
import type { VerifyOptions } from '../../domain/audit/verify.ts';
import type { Keyring } from '../../domain/encryption/port.ts';
import type { DecisionSigner } from '../../domain/approval/key-port.ts';
import type { ModelCatalogue } from '../../domain/model/catalogue-port.ts';
import type { PricedLine, PriceImport, PriceImportOptions } from '../../domain/budget/price-explanation.ts';
import type { Store } from '../../domain/store/port.ts';
import type { ProjectSpec } from '../../domain/task/define.ts';
import type { Identity } from '../decision.ts';
import type { ErasurePorts } from '../erasure.ts';
import type { StoredTask } from '../known-task.ts';
import type { Project } from '../local-door.ts';
import type { RunsDoor } from '../runs-door.ts';
import type { TemporalConnection } from '../temporal-connection.ts';
import type { McpToolView } from './mcp-command.ts';
import type { Terminal } from './terminal.ts';

export interface StoreKeeping {
  /** Its place, without what is secret. */
  describe(): string;
  /** Opens it and checks that it is sound; answers what it is. @throws TollgateError where it is not. */
  check(): Promise<string>;
  migrate(): Promise<{ readonly from: number; readonly to: number; readonly applied: readonly string[] }>;
  backup(file: string, options: { readonly overwrite: boolean }): Promise<StoreAmount>;
  restore(
    file: string,
    options: { readonly replace: boolean },
  ): Promise<StoreAmount & { readonly header: { readonly createdAtMs: number; readonly store: string } }>;
}

export interface StoreAmount {
  readonly rows: number;
  readonly runs: number;
}

export interface RedactLineOptions {
  readonly tenant: string;
  readonly feature: string;
  readonly place: 'text' | 'toolArguments';
  readonly regions?: string;
  readonly rules?: string;
}

/**
 * What the commands need of the outside. Adapters come in through here, wired in main.ts; each is opened at its first
 * use, so that a command needs only what it uses.
 */
export interface CliServices {
  readonly terminal: Terminal;
  /** Masks what redaction finds in a text. */
  scrub(text: string): string;
  readonly cwd: string;
  /** Runs, by way of the API at TOLLGATE_URL where that is set, else of Temporal and the store. */
  runs(): RunsDoor;
  /** The data folder. */
  home(): string;
  identity(): Identity;
  taskQueue(): string;
  switchedOffSearchAttributes(): readonly SearchAttributeTopic[];
  /** Where the trace of a run hangs that is started here, as TRACEPARENT says. */
  traceparent(): string | undefined;
  /** The API that the commands speak to, where TOLLGATE_URL is set. */
  api(): { readonly url: string; readonly token?: string } | null;
  /** One connection for the command, closed by `close`. */
  connect(timeoutMs?: number): Promise<TemporalConnection>;
  /** One store for the command, closed by `close`. */
  openStore(): Promise<Store>;
  /** The store as a whole. */
  readonly store: StoreKeeping;
  /** The key of the settings, else the local development key. @throws TollgateError where Temporal is not on this machine and that was not allowed. */
  signer(): Promise<DecisionSigner>;
  /** A new pair that decisions are signed and verified with, for the settings. */
  newDecisionKeyPair(): { readonly privateKey: string; readonly publicKey: string };
  project(): Promise<Project>;
  readTaskFolder(folder: string): Promise<StoredTask>;
  /** Starts an MCP server of the project and asks what it offers. */
  listMcpTools(server: string): Promise<readonly McpToolView[]>;
  /** Starts every MCP server of the project and compares what it offers with what the tasks declare. */
  checkMcp(): Promise<{ readonly problems: readonly string[]; readonly raised: readonly string[] }>;
  catalogue(spec: ProjectSpec): ModelCatalogue;
  /** What plays the models: scripted answers, a real provider, or nothing yet. */
  provider(): 'simulated' | 'real' | 'none';
  /** Answers lines of `redact`: JSON in, JSON out. @throws TollgateError for options that make no sense. */
  lineRedactor(options: RedactLineOptions): Promise<(line: string) => string>;
  /** One line of `price`. */
  priceLine(line: string, options: { readonly at?: string; readonly explain: boolean }): Promise<PricedLine>;
  /** Turns LiteLLM's price map into a price file of ours, at `out`. */
  importPrices(options: PriceImportOptions): Promise<PriceImport>;
  /** One line of `explain-error`: JSON in, JSON out. */
  explainErrorLine(line: string): Promise<string>;
  /** Runs a worker as a process of its own until it ends or this process is stopped. Answers its exit code. */
  runWorker(): Promise<number>;
  /** Replays histories in a process of its own; answers its exit code. */
  runReplay(args: readonly string[]): Promise<number>;
  /** The name under which workers are versioned. @throws TollgateError `invalidInput` where TOLLGATE_DEPLOYMENT is not set. */
  deployment(): string;
  /** Runs the HTTP API in the same way, or lets it print its OpenAPI document. */
  runServe(options: { readonly printOpenapi: boolean }): Promise<number>;
  /** Runs everything needed for development until stopped. Answers the exit code. */
  runDev(options: { readonly sample: boolean; readonly scenarios: readonly string[] }): Promise<number>;
  close(): Promise<void>;
  /** What is sealed, and what wraps the keys: `key file` or `key service`. */
  encryption(): { readonly store: boolean; readonly history: boolean; readonly keys: string };
  keyring(): Promise<Keyring>;
  /** A new key for a tenant, or a new root key where it is null. */
  rotateKeys(tenant: string | null): Promise<{ readonly keyId: string; readonly rewrapped: number }>;
  erasurePorts(): Promise<ErasurePorts>;
  /** Removes all that is older than the settings keep it; answers of how many runs, by class. */
  runRetention(): Promise<Readonly<Record<DataClass, number>>>;
  /** What an export of the audit is verified with. */
  readonly auditDigests: Pick<VerifyOptions, 'sha256' | 'verifySignature'>;
  anchorAudit(store: Store): Promise<AnchorReport>;
  /** The public key that anchors of this data folder are signed with. */
  anchorKey(): string;
}

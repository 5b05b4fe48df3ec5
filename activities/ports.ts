import type { DecisionSigner, DecisionVerifier } from '../domain/approval/key-port.ts';
import type { Keyring } from '../domain/encryption/port.ts';
import type { RedactionEngine } from '../domain/redaction/exit-port.ts';
import type { ModelCatalogue } from '../domain/model/catalogue-port.ts';
import type { AttemptRecord, Store } from '../domain/store/port.ts';
import type { RepairRoles } from '../domain/repair/repair.ts';
import type { TaskRegistry } from '../domain/task/registry-port.ts';
import type { ToolDefinition } from '../contracts/task.ts';
import type { ToolBindingRuntime } from '../domain/tool/runtime-port.ts';

/** What activities need of the outside, as the worker wires it. */
export interface ActivityPorts {
  readonly store: Store;
  readonly catalogue: ModelCatalogue;
  readonly registry: TaskRegistry;
  readonly runtimeOf: (tool: ToolDefinition) => ToolBindingRuntime;
  readonly verifier: DecisionVerifier;
  /** Redaction at the exits of a run, and the keys of its vault. */
  readonly redaction: RedactionEngine & { readonly keyring: Keyring };
  /** Signs bare signals as `unverified`. Null where an unsigned decision does not count. */
  readonly unsignedSigner: DecisionSigner | null;
  /** Whether the person who asked for a run may decide where the policy does not say. */
  readonly requesterMayDecideByDefault: boolean;
  /** Who may repair a run. Unset: the roles of the default configuration. */
  readonly repairRoles?: RepairRoles;
  /** Told when the first part of a streamed reply has arrived, and how long that took. Must not throw. */
  readonly onFirstChunk?: (attempt: Pick<AttemptRecord, 'runKey' | 'model' | 'provider'>, tookMs: number) => void;
}

import { TollgateError } from '../../contracts/failures.ts';
import { SEARCH_ATTRIBUTES, type SearchAttributeTopic } from '../../contracts/search-attributes.ts';
import { reportBreaker } from '../quota-report.ts';
import { resolveCandidates } from '../../domain/task/candidates.ts';
import type { TemporalConnection } from '../temporal-connection.ts';
import { checkNotifications } from './doctor-notifications.ts';
import { checkBounds, checkHeldMoney, checkLostRuns } from './doctor-money.ts';
import type { CliServices } from './services.ts';

const NODE_MAJOR = 24;
const READ_TIMEOUT_MS = 5_000;
// Codes of temporal.api.enums.v1.IndexedValueType.
const TYPE_NAMES: Readonly<Record<number, string>> = { 1: 'TEXT', 2: 'KEYWORD', 3: 'INT', 4: 'DOUBLE', 5: 'BOOL', 6: 'DATETIME', 7: 'KEYWORD_LIST' };

export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'problem' | 'skipped';
  readonly message: string;
  /** What to do, where something is wrong. */
  readonly fix?: string;
}

export type Finding = Omit<Check, 'name'>;

/** Checks what runs need, one by one; a check that can't be made because of an earlier one is skipped. Never throws. */
export async function diagnose(services: CliServices): Promise<readonly Check[]> {
  const checks: Check[] = [];
  const check = async (name: string, look: () => Promise<Finding> | Finding): Promise<boolean> => {
    const finding = await Promise.resolve().then(look).catch(problemOf);
    checks.push({ name, ...finding });
    return finding.status === 'ok';
  };
  await check('Node', checkNode);
  if (!(await check('settings', () => ok(`data folder ${services.home()}, deciding as ${services.identity().name}`)))) return checks;
  const api = services.api();
  if (api) {
    await check('API', async () => {
      await services.runs().list({ limit: 1 });
      return ok(`answers at ${api.url}, and lets this caller read`);
    });
    return checks;
  }
  const hasProject = await check('configuration', async () => {
    const { configPath, registry } = await services.project();
    return ok(`${configPath}: ${[...registry.tasks.keys()].join(', ') || 'no tasks'}`);
  });
  const hasStore = await check('store', async () => ok(await services.store.check()));
  await check('breakers', () => checkBreakers(services));
  await check('encryption', () => checkKeys(services));
  await check('signing key', async () => {
    await services.signer();
    return ok('there: TOLLGATE_DECISION_KEY, or the development key with Temporal on this machine or TOLLGATE_INSECURE');
  });
  await check('provider', () => checkProvider(services));
  await check('models', () => (hasProject ? checkModels(services) : skipped('the configuration')));
  await check('MCP servers', () => (hasProject ? checkMcpServers(services) : skipped('the configuration')));
  let temporal: TemporalConnection | null = null;
  await check('Temporal', async () => {
    temporal = await services.connect();
    return ok(`answers at ${temporal.at.address}`);
  });
  const inTemporal = (look: (connection: TemporalConnection) => Promise<Finding>) => () => (temporal ? look(temporal) : skipped('Temporal'));
  await check('namespace', inTemporal(checkNamespace));
  await check(
    'search attributes',
    inTemporal((connection) => checkSearchAttributes(connection, services.switchedOffSearchAttributes())),
  );
  await check(
    'runs and store',
    inTemporal(({ client }) => (hasStore ? checkLostRuns(client, services) : Promise.resolve(skipped('the store')))),
  );
  await check('held money', () => (hasStore ? checkHeldMoney(services) : skipped('the store')));
  await check('notifications', () => (hasStore ? checkNotifications(services) : skipped('the store')));
  await check('bounds', () => (hasStore ? checkBounds(services) : skipped('the store')));
  return checks;
}

function checkNode(): Finding {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= NODE_MAJOR) return ok(process.versions.node);
  return problem(
    `${process.versions.node} runs this`,
    `Node ${NODE_MAJOR} or newer is needed. Install it, or start through "npx tollgate", which finds the one that a clone brings.`,
  );
}

/** Whether this process has the keys of what lies sealed in the store. */
async function checkKeys(services: CliServices): Promise<Finding> {
  const { store, history, keys } = services.encryption();
  const [newest] = await (await services.openStore()).listTenantKeys({ limit: 1 });
  if (newest) await (await services.keyring()).opener(newest.keyId);
  const said = (isOn: boolean) => (isOn ? 'sealed' : 'not sealed');
  return ok(`store ${said(store)}, history ${said(history)}; tenants' keys are wrapped by the ${keys}${newest ? ', which opens them' : ''}`);
}

function checkProvider(services: CliServices): Finding {
  switch (services.provider()) {
    case 'real':
      return ok('real, with OPENAI_API_KEY: runs cost money');
    case 'simulated':
      return ok('SIMULATED: no OPENAI_API_KEY is set, answers come from scenario files');
    case 'none':
      return problem(
        'there is none: OPENAI_API_KEY is not set, and no simulated provider runs',
        'Set OPENAI_API_KEY, or run "npx tollgate dev", which brings a simulated provider.',
      );
  }
}

async function checkModels(services: CliServices): Promise<Finding> {
  const { registry, spec } = await services.project();
  const catalogue = services.catalogue(spec);
  const problems = [...registry.tasks.values()].flatMap((task) => {
    const resolved = resolveCandidates(task, catalogue);
    return resolved.type === 'problems' ? resolved.problems.map(({ message }) => message) : [];
  });
  const models = [...new Set([...registry.tasks.values()].flatMap((task) => task.models.map(({ model }) => model)))];
  if (problems.length === 0) return ok(models.length > 0 ? `${models.join(', ')}: endpoint, key and price known` : 'none configured');
  return problem('some can not be used', [...new Set(problems)].join(' '));
}

/** What fails now is no defect of the setup: it says so, and what to do if it should be tried at once. */
async function checkBreakers(services: CliServices): Promise<Finding> {
  const open = (await (await services.openStore()).listBreakers()).map(reportBreaker).filter(({ status }) => status !== 'closed');
  if (open.length === 0) return ok('no model is left alone');
  const shown = open.map(({ endpoint, model, status, reason, probeAfter }) => `${model} at ${endpoint} is ${status} (${reason}), probed after ${probeAfter}`);
  return problem(shown.join('; '), 'Runs use the other models of their chain meanwhile. "npx tollgate breakers reset <endpoint> <model>" tries one at once.');
}

async function checkMcpServers(services: CliServices): Promise<Finding> {
  const names = Object.keys((await services.project()).spec.mcpServers ?? {});
  if (names.length === 0) return ok('none configured');
  const { problems, raised } = await services.checkMcp();
  if (problems.length > 0)
    return problem(problems.join(' '), 'Runs of these tasks do not get past this. "tollgate mcp list <server>" shows what a server offers.');
  return ok([`${names.join(', ')}: start, and offer the tools of the tasks as declared`, ...raised].join('; '));
}

async function checkNamespace({ connection, at }: TemporalConnection): Promise<Finding> {
  const describe = () => connection.workflowService.describeNamespace({ namespace: at.namespace });
  try {
    await connection.withDeadline(Date.now() + READ_TIMEOUT_MS, describe);
    return ok(at.namespace);
  } catch (error) {
    return problem(`"${at.namespace}" can't be read: ${(error as Error).message}`, 'Create it, or set TEMPORAL_NAMESPACE to one that is there.');
  }
}

async function checkSearchAttributes({ connection, at }: TemporalConnection, switchedOff: readonly SearchAttributeTopic[]): Promise<Finding> {
  const list = () => connection.operatorService.listSearchAttributes({ namespace: at.namespace });
  let registered: Readonly<Record<string, number>>;
  try {
    registered = ((await connection.withDeadline(Date.now() + READ_TIMEOUT_MS, list)).customAttributes ?? {}) as Record<string, number>;
  } catch (error) {
    return { status: 'skipped', message: `they can't be listed here: ${(error as Error).message}` };
  }
  const problems = searchAttributeProblems(registered, switchedOff);
  if (problems.length === 0) return ok(switchedOff.length > 0 ? `registered; switched off: ${switchedOff.join(', ')}` : 'registered');
  return problem(
    problems.join('; '),
    'Start a worker, which registers what is missing. A name that another application holds with another type must be switched off.',
  );
}

/** What is missing or of another type. Temporal ignores a registration under another type without a word. */
export function searchAttributeProblems(registered: Readonly<Record<string, number>>, switchedOff: readonly SearchAttributeTopic[]): string[] {
  const wanted = (Object.keys(SEARCH_ATTRIBUTES) as SearchAttributeTopic[]).filter((topic) => !switchedOff.includes(topic));
  return wanted.flatMap((topic) => {
    const { name, type } = SEARCH_ATTRIBUTES[topic];
    const found = registered[name];
    if (found === undefined) return [`${name} is missing`];
    return TYPE_NAMES[found] === type ? [] : [`${name} is ${TYPE_NAMES[found] ?? found}, not ${type}`];
  });
}

export function ok(message: string): Finding {
  return { status: 'ok', message };
}

export function problem(message: string, fix: string): Finding {
  return { status: 'problem', message, fix };
}

function skipped(because: string): Finding {
  return { status: 'skipped', message: `needs ${because}` };
}

function problemOf(error: unknown): Finding {
  if (error instanceof TollgateError) return { status: 'problem', message: error.message };
  return { status: 'problem', message: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) };
}

export interface Layer {
  readonly name: string;
  /** Path prefixes or files that its value imports may lead to, beside its own folder. */
  readonly values: readonly string[];
  /** Further ones that `import type` may lead to. */
  readonly types: readonly string[];
  /** Packages; `node:*` stands for Node's own. */
  readonly packages: readonly string[];
  /** In words, for ARCHITECTURE.md. */
  readonly says: string;
}

const PRODUCT = ['contracts/', 'domain/', 'workflows/', 'activities/', 'adapters/', 'telemetry/', 'config/', 'tasks/'];

/** What each folder may import. The first layer whose name a file's path starts with counts. */
export const LAYERS: readonly Layer[] = [
  {
    name: 'contracts/temporal.ts',
    values: ['contracts/search-attributes.ts'],
    types: ['contracts/'],
    packages: ['@temporalio/workflow'],
    says: 'names of workflows, updates, signals, queries; the `define*` functions; no zod',
  },
  { name: 'contracts/failures.ts', values: [], types: [], packages: [], says: 'nothing' },
  { name: 'contracts/', values: [], types: [], packages: ['zod'], says: 'zod' },
  { name: 'domain/', values: ['contracts/failures.ts'], types: ['contracts/', 'zod'], packages: [], says: '`contracts/failures.ts`; types from contracts' },
  {
    name: 'workflows/',
    values: ['domain/', 'contracts/temporal.ts', 'contracts/failures.ts'],
    types: ['contracts/', 'activities/port.ts'],
    packages: ['@temporalio/workflow'],
    says: 'domain, `contracts/temporal.ts`, `contracts/failures.ts`, `@temporalio/workflow`; types from contracts and activities',
  },
  {
    name: 'activities/',
    values: ['domain/', 'contracts/', 'telemetry/'],
    types: [],
    packages: ['@temporalio/activity', '@temporalio/common', 'zod', 'canonicalize', 'node:*'],
    says: 'domain, contracts, telemetry, `@temporalio/activity`, `@temporalio/common`',
  },
  {
    name: 'adapters/',
    values: ['domain/', 'contracts/', 'telemetry/'],
    types: [],
    packages: [
      'openai',
      'eventsource-parser',
      'pg',
      'yaml',
      'zod',
      'canonicalize',
      '@pydantic/genai-prices',
      'gpt-tokenizer',
      '@modelcontextprotocol/sdk',
      '@secretlint/secretlint-rule-preset-recommend',
      'libphonenumber-js',
      'nodemailer',
      '@opentelemetry/otlp-transformer',
      'jose',
      'openid-client',
      'pino',
      'node:*',
    ],
    says: 'domain, contracts, telemetry, vendor packages; nothing of Temporal',
  },
  {
    name: 'telemetry/',
    values: ['contracts/', 'config/'],
    types: [],
    packages: [
      'pino',
      '@opentelemetry/api',
      '@opentelemetry/exporter-metrics-otlp-proto',
      '@opentelemetry/exporter-prometheus',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-metrics',
      'node:*',
    ],
    says: 'contracts, config, vendor packages',
  },
  { name: 'config/', values: ['contracts/'], types: [], packages: ['zod', 'node:*'], says: 'zod, contracts' },
  { name: 'tasks/', values: ['contracts/', 'domain/'], types: [], packages: ['zod', 'node:*'], says: 'contracts, domain, their own data and tool code' },
  ...['client/cli/main.ts', 'client/http/main.ts', 'client/library/main.ts', 'client/main.ts'].map((name) => ({
    name,
    values: [...PRODUCT, 'client/'],
    types: [],
    packages: ['@temporalio/client', '@temporalio/common', 'commander', 'node:*'],
    says: 'all that client may, and adapters',
  })),
  {
    name: 'client/inbox/',
    values: [],
    types: ['client/', 'contracts/'],
    packages: ['preact', 'htm'],
    says: 'preact and htm, and types of client: it runs in the browser',
  },
  {
    name: 'client/',
    values: ['contracts/', 'domain/', 'config/', 'telemetry/'],
    types: [],
    packages: [
      '@temporalio/client',
      '@temporalio/common',
      'commander',
      'fastify',
      'fastify-type-provider-zod',
      '@fastify/helmet',
      '@fastify/rate-limit',
      '@fastify/secure-session',
      '@fastify/swagger',
      'zod',
      'node:*',
    ],
    says: 'contracts, domain, config, telemetry, `@temporalio/client`, `fastify`; ports arrive as arguments',
  },
  {
    name: 'worker/',
    values: PRODUCT,
    types: [],
    packages: ['@temporalio/client', '@temporalio/worker', '@temporalio/common', '@temporalio/proto', 'pino', 'node:*'],
    says: 'anything but client and test',
  },
  {
    name: 'testing/',
    values: [...PRODUCT, 'client/', 'worker/'],
    types: [],
    packages: ['@temporalio/worker', 'zod', 'node:*'],
    says: 'anything but test; no test runner, which is the team’s own',
  },
];

/** The table as Markdown. */
export function layersAsMarkdown(): string {
  return ['| Layer | May import |', '|---|---|', ...LAYERS.map(({ name, says }) => `| \`${name}\` | ${says} |`)].join('\n');
}

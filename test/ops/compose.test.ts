import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { readArguments } from '../../adapters/providers/simulated/main.ts';
import { environmentSchema } from '../../config/schema.ts';
import { TEMPORAL_VERSION } from '../../scripts/production-shape/temporal-build.ts';
import { serverEnvironment } from '../../scripts/production-shape/temporal.ts';
import { composeText, exampleSettings, filledIn, interpolate, parseCompose, read, ROOT, type Service, variablesOf } from '../support/compose.ts';

/** Settings that make no sense in this stack, and why. */
const NOT_IN_COMPOSE: Readonly<Record<string, string>> = {
  TEMPORAL_API_KEY: 'for a Temporal elsewhere; this stack brings its own, reachable from its containers alone',
  TEMPORAL_TLS_CERT: 'as TEMPORAL_API_KEY',
  TEMPORAL_TLS_KEY: 'as TEMPORAL_API_KEY',
  TEMPORAL_TLS_CA: 'as TEMPORAL_API_KEY',
  TEMPORAL_CLI_PATH: 'for the dev server',
  XDG_CACHE_HOME: 'where the dev server is kept',
  TOLLGATE_AS: 'plays a person at a development machine',
  TOLLGATE_STORE_MAX_PAGES: 'bounds the SQLite file; the store is Postgres here',
  TOLLGATE_DATABASE_CONNECTIONS: 'its default fits the Postgres of this stack',
  TOLLGATE_URL: 'for clients of the API',
  TOLLGATE_TOKEN: 'for clients of the API',
  TRACEPARENT: 'of one command, not of a service',
  OTEL_EXPORTER_OTLP_PROTOCOL: 'only one protocol is spoken',
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'only one protocol is spoken',
  OTEL_TRACES_EXPORTER: 'for an environment that others filled; here nothing is exported unless an address is given',
  OTEL_SDK_DISABLED: 'as OTEL_TRACES_EXPORTER',
  TOLLGATE_LOCAL_DEVELOPER: 'for an API on loopback; here every request needs a key',
};
/** What the images of others read, as their entry points and configuration templates say. */
const OF_OTHERS: Readonly<Record<string, readonly string[]>> = {
  postgres: ['POSTGRES_PASSWORD', 'POSTGRES_USER', 'TEMPORAL_DB_PASSWORD', 'TOLLGATE_DB_PASSWORD'],
  'temporalio/server': Object.keys(serverEnvironment({ postgresPort: 5432, password: '' })).filter((name) => name !== 'BIND_ON_IP'),
  'temporalio/ui': ['TEMPORAL_ADDRESS', 'TEMPORAL_DEFAULT_NAMESPACE'],
};

const { services, volumes } = parseCompose(filledIn());
const all = Object.entries(services);
const ours = all.filter(([, { image }]) => image.startsWith('tollgate:'));
const imageName = ({ image }: Service) => image.split(':')[0] ?? '';

describe('the file', () => {
  test('is valid by the Compose Specification', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(read('test/ops/compose-spec.json')) as object);
    expect(validate(parse(interpolate(composeText, filledIn()), { merge: true })), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ services: { a: { image: 'a', prots: [] } } })).toBe(false);
  });

  test('pins every image to a version', () => {
    for (const [name, { image }] of all.filter(([, service]) => !ours.some(([, mine]) => mine === service)))
      expect(image, name).toMatch(/:\d+\.\d+(\.\d+)?(-|$)/);
    for (const image of ['server', 'admin-tools']) expect(composeText).toContain(`temporalio/${image}:${TEMPORAL_VERSION}`);
  });

  test('lets workers be scaled: no fixed name, no published port', () => {
    expect(services.worker).toMatchObject({ deploy: { replicas: 2 } });
    expect(all.filter(([, { container_name }]) => container_name !== undefined)).toEqual([]);
    expect(services.worker?.ports).toBeUndefined();
  });

  test('publishes on loopback only, the API and the Temporal UI', () => {
    expect(all.flatMap(([, { ports = [] }]) => ports)).toEqual(['127.0.0.1:8233:8080', '127.0.0.1:7480:7480']);
  });

  test('waits for a service to be healthy or to complete only where it can', () => {
    for (const [name, { depends_on = {} }] of all)
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const service = services[needed];
        if (condition === 'service_healthy') expect(service?.healthcheck, `${name} needs ${needed}`).toBeDefined();
        // A service that is started again whenever it ends never completes.
        else expect(`${condition} ${service?.restart}`, `${name} needs ${needed}`).toBe('service_completed_successfully on-failure:5');
      }
  });

  test('mounts files that are there and volumes that are declared', () => {
    const sources = all.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(':')[0] ?? '');
    expect(sources.filter((source) => (source.startsWith('.') ? !existsSync(join(ROOT, source)) : !(source in volumes)))).toEqual([]);
    expect(Object.keys(volumes).filter((name) => !sources.includes(name))).toEqual([]);
  });
});

describe('settings', () => {
  test('each of config/schema.ts is set in the file, or named with the reason why not', () => {
    const set = new Set(ours.flatMap(([, { environment = {} }]) => Object.keys(environment)));
    const known = Object.keys(environmentSchema.shape);
    expect(known.filter((name) => !set.has(name) && !(name in NOT_IN_COMPOSE))).toEqual([]);
    expect(Object.keys(NOT_IN_COMPOSE).filter((name) => set.has(name) || !known.includes(name))).toEqual([]);
  });

  test('each that a container of ours gets is one of config/schema.ts, and its value is accepted', () => {
    for (const [name, { environment = {} }] of ours) {
      const given = Object.fromEntries(Object.entries(environment).flatMap(([key, value]) => (value === null || value === '' ? [] : [[key, String(value)]])));
      expect(
        Object.keys(environment).filter((variable) => !(variable in environmentSchema.shape)),
        name,
      ).toEqual([]);
      expect(environmentSchema.safeParse(given).error?.issues, name).toBeUndefined();
    }
  });

  test('each that another image gets is one that it reads', () => {
    for (const [name, service] of all.filter(([, { image }]) => !image.startsWith('tollgate:'))) {
      const given = Object.keys(service.environment ?? {});
      if (service.entrypoint) {
        const script = read(`deploy/temporal/${service.entrypoint.at(-1)?.split('/').at(-1)}`);
        expect(
          given.filter((variable) => !script.includes(variable)),
          name,
        ).toEqual([]);
      } else
        expect(
          given.filter((variable) => !OF_OTHERS[imageName(service)]?.includes(variable)),
          name,
        ).toEqual([]);
    }
    expect(read('deploy/postgres/init.sh')).toMatch(/TEMPORAL_DB_PASSWORD[\s\S]*TOLLGATE_DB_PASSWORD/);
  });

  test('each variable of the file is in .env.example, and the other way round', () => {
    const example = exampleSettings().map(({ name }) => name);
    const used = [...variablesOf(composeText).keys()];
    // Compose itself reads this one.
    expect(example.filter((name) => name !== 'COMPOSE_PROFILES').toSorted()).toEqual(used.toSorted());
    expect(new Set(example).size).toBe(example.length);
  });

  test('secrets have no value that could go into production unnoticed: without one, nothing starts', () => {
    const empty = exampleSettings().filter(({ value, isCommented }) => value === '' && !isCommented);
    const required = [...variablesOf(composeText)].flatMap(([name, operator]) => (operator === '?' ? [name] : []));
    expect(required.toSorted()).toEqual(['POSTGRES_ADMIN_PASSWORD', 'TEMPORAL_DB_PASSWORD', 'TOLLGATE_DB_PASSWORD']);
    for (const name of required) {
      expect(empty.map((setting) => setting.name)).toContain(name);
      expect(() => parseCompose(filledIn({ [name]: '' })), name).toThrow(`required variable ${name} is missing`);
    }
    const secrets = [...variablesOf(composeText)].filter(([name]) => /PASSWORD|_KEYS?$|TOKEN|SECRET/.test(name));
    for (const [name] of secrets) expect(exampleSettings().find((setting) => setting.name === name)?.value, name).toBe('');
    expect(composeText).not.toMatch(/(PASSWORD|KEY|TOKEN|SECRET)[A-Z_]*:-[^}]/);
  });

  test('the key that signs decisions goes to the API alone, and the stack asks for no acceptance of a risk', () => {
    const holders = Object.entries(services).flatMap(([name, { environment = {} }]) => ('TOLLGATE_DECISION_KEY' in environment ? [name] : []));
    expect(holders).toEqual(['api']);
    for (const name of ['worker', 'worker-previous', 'api']) expect(services[name]?.environment, name).toHaveProperty('TOLLGATE_DECISION_PUBLIC_KEYS');
    expect(parseCompose(filledIn()).services.worker?.environment).toMatchObject({ TOLLGATE_INSECURE: 0, TOLLGATE_UNSIGNED_SIGNALS: 'refuse' });
  });

  test('the defaults in .env.example are those of the file', () => {
    const shown = Object.fromEntries(exampleSettings().flatMap(({ name, value, isCommented }) => (value === '' || isCommented ? [] : [[name, value]])));
    const bare = parseCompose({
      POSTGRES_ADMIN_PASSWORD: 'filled1n',
      TEMPORAL_DB_PASSWORD: 'filled1n',
      TOLLGATE_DB_PASSWORD: 'filled1n',
    });
    expect(parseCompose({ ...filledIn(), ...shown })).toEqual(bare);
  });
});

describe('places', () => {
  test('ports agree with the defaults of the code', () => {
    const listen = environmentSchema.parse({}).TOLLGATE_LISTEN.split(':').at(-1);
    expect(services.api?.environment?.TOLLGATE_LISTEN).toBe(`0.0.0.0:${listen}`);
    expect(services.api?.ports).toEqual([`127.0.0.1:${listen}:${listen}`]);
    expect(JSON.stringify(services.api?.healthcheck)).toContain(`127.0.0.1:${listen}/`);
    expect(read('Dockerfile')).toContain(`EXPOSE ${listen}\n`);
    for (const [name, { environment }] of ours) if (environment) expect(environment.TEMPORAL_ADDRESS, name).toBe('temporal:7233');
    const simulated = readArguments(services['simulated-provider']?.command ?? []);
    const shown = exampleSettings().find(({ name }) => name === 'TOLLGATE_SIMULATED_URL')?.value;
    expect(shown).toBe(`http://simulated-provider:${simulated.port}/v1`);
  });

  test('names of hosts in the file are services of it', () => {
    const hosts = [...composeText.matchAll(/(?:@|^ +(?:SQL_HOST|POSTGRES_SEEDS|TEMPORAL_ADDRESS): )([a-z-]+)/gm)].map((match) => match[1] ?? '');
    expect(hosts.length).toBeGreaterThan(4);
    expect(hosts.filter((host) => !(host in services))).toEqual([]);
  });

  test('workers and API share one data folder, and run against one database', () => {
    for (const [name, service] of ours.filter(([, { environment }]) => environment)) {
      expect(service.volumes, name).toContain(`tollgate-data:${service.environment?.TOLLGATE_HOME}`);
      expect(service.environment?.DATABASE_URL, name).toBe('postgres://tollgate:filled1n@postgres:5432/tollgate');
    }
    expect(services.worker?.environment?.TOLLGATE_HEALTH_FILE && JSON.stringify(services.worker.healthcheck)).toContain(
      services.worker?.environment?.TOLLGATE_HEALTH_FILE,
    );
  });
});

import type { RedactionAction, RedactionRules, RedactionSettings } from '../../contracts/redaction.ts';
import type { RedactionOptions } from './port.ts';

/** Secrets are of no use to a model and must not be kept; what concerns people keeps its place as a token. */
export const DEFAULT_RULES: RedactionRules = { '*': 'tokenise', secret: 'mask' };

export type PolicyScope = Pick<RedactionOptions, 'tenant' | 'feature' | 'task' | 'place'>;

/**
 * What policy says about a finding. Layers, each above the one before: the defaults, the settings, the settings of the feature,
 * the task, the task for the feature, the tenant, the tenant for the feature. The highest layer that says anything about the type
 * decides; within a layer the type itself comes before its family, and that before `*`.
 */
export function actionFor(type: string, settings: RedactionSettings, scope: PolicyScope): RedactionAction {
  for (const rules of layers(settings, scope)) {
    const action = ruleFor(type, rules);
    if (action !== undefined) return scope.place === 'toolArguments' ? forArguments(action) : action;
  }
  return 'block';
}

/** Regions of a tenant, else the general ones. */
export function regionsFor(settings: RedactionSettings, tenant: string): readonly string[] {
  return own(settings.tenants, tenant)?.regions ?? settings.regions ?? [];
}

function* layers(settings: RedactionSettings, { tenant, feature, task }: PolicyScope): Generator<RedactionRules> {
  for (const layer of [own(settings.tenants, tenant), task, settings]) {
    const ofFeature = own(layer?.features, feature);
    if (ofFeature) yield ofFeature;
    if (layer?.rules) yield layer.rules;
  }
  yield DEFAULT_RULES;
}

function ruleFor(type: string, rules: RedactionRules): RedactionAction | undefined {
  return own(rules, type) ?? own(rules, familyOf(type)) ?? own(rules, '*');
}

/** A tool would act on what is left of a masked or dropped value. */
function forArguments(action: RedactionAction): RedactionAction {
  return action === 'mask' || action === 'drop' ? 'block' : action;
}

/** `secret` of `secret.github-pat`; a type without a family is its own. */
export function familyOf(type: string): string {
  return type.split('.', 1)[0] ?? type;
}

/** Tenants and features have names that strangers may choose, `constructor` too. */
function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

import { z } from 'zod';

/**
 * What becomes of a found value. `mask`: its place says what it was (`⟦secret.github-pat⟧`), the value is gone.
 * `tokenise`: a token stands for it throughout the run (`⟦email:1⟧`), the vault keeps it sealed. `drop`: it is taken out.
 * `block`: the whole text may not go on. `allow`: it stays.
 */
export const redactionActions = ['mask', 'tokenise', 'drop', 'block', 'allow'] as const;
export const redactionActionSchema = z.enum(redactionActions);
export type RedactionAction = z.infer<typeof redactionActionSchema>;

const findingTypePattern = /^(?:\*|[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*)?)$/;

/** Action by finding type (`secret.github-pat`), by family (`secret`, `nationalId`) or for whatever has no rule (`*`). */
export const redactionRulesSchema = z.record(
  z.string().max(100).regex(findingTypePattern, 'must be a type such as email or secret.github-pat, a family such as secret, or *'),
  redactionActionSchema,
);
export type RedactionRules = Readonly<z.infer<typeof redactionRulesSchema>>;

const regionSchema = z.string().regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 code of two capitals, such as DE');

/** A team's own pattern. Its findings have the type `own.<name>`. */
export const ownPatternSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'must be words in small letters joined by hyphens')
    .max(60),
  /** A JavaScript regular expression without slashes; group 1 is the value where there is one, else the whole match. */
  pattern: z.string().min(1).max(500),
  ignoreCase: z.boolean().optional(),
});
export type OwnPattern = Readonly<z.infer<typeof ownPatternSchema>>;

/** What a task's definition or file states: rules for its runs, and for single features of it. */
export const taskRedactionSchema = z.strictObject({
  rules: redactionRulesSchema.optional(),
  features: z.record(z.string().min(1).max(200), redactionRulesSchema).optional(),
});
export type TaskRedaction = Readonly<z.infer<typeof taskRedactionSchema>>;

const layerShape = {
  ...taskRedactionSchema.shape,
  /** Where the people in the texts live, most likely first: decides how phones and national ids are read. */
  regions: z.array(regionSchema).max(50).optional(),
  patterns: z.array(ownPatternSchema).max(100).optional(),
};

/** `redaction` in `defineConfig`: for everybody, and by tenant on top. */
export const redactionSettingsSchema = z.strictObject({
  ...layerShape,
  tenants: z.record(z.string().min(1).max(200), z.strictObject(layerShape)).optional(),
  /** A remote detector (Presidio) that fails or is late: the text may not go on, or it goes on with what the others found. */
  /** Types of values, families or `*`, that approvers of a role see in place of tokens when they look at a gate. Default: tokens alone. */
  approversSee: z.record(z.string().min(1).max(100), z.array(z.string().min(1).max(100)).max(100)).optional(),
  onDetectorFailure: z.enum(['block', 'goOn']).optional(),
});
export type RedactionSettings = Readonly<z.infer<typeof redactionSettingsSchema>>;

/**
 * What a number needs beside its form and check digits. `nothing`: they leave hardly any chance. `contextOrRegion`: a word
 * near it, or its country among the tenant's regions. `context`: a word, because any number of that length would do.
 */
export type Needs = 'nothing' | 'contextOrRegion' | 'context';

export interface NationalIdRule {
  /** `us-ssn`: the finding's type is `nationalId.us-ssn`. */
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly region: string;
  /** As it is written, 9 for a digit and A for a letter, and what it then needs. */
  readonly layouts: Readonly<Record<string, Needs>>;
  /** The id in capitals, without separators. */
  readonly isValid: (id: string) => boolean;
  readonly words: RegExp;
}

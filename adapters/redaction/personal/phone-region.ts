import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/min';
import metadata from 'libphonenumber-js/min/metadata';
import type { PhoneWindow } from './phone-window.ts';

interface Plan {
  readonly pattern: RegExp;
  /** What is dialled before a number within the country. */
  readonly trunk: RegExp;
}

/** Each region's plan, out of the library's data: to ask the library itself costs a hundred times as much. */
const plans = new Map<CountryCode, Plan>();
for (const [region, plan] of Object.entries(metadata.countries)) {
  const [, , pattern, , , prefix, prefixForParsing, rewritten] = plan;
  if (isSupportedCountry(region) && !rewritten)
    plans.set(region, { pattern: new RegExp(`^(?:${pattern})$`), trunk: new RegExp(`^(?:${prefixForParsing || prefix || '0'})`) });
}

export const supportedRegions = (regions: readonly string[]): readonly CountryCode[] =>
  regions.filter((region): region is CountryCode => isSupportedCountry(region));

/** Whether the digits can be a number of the region, its trunk prefix before them or not. Says yes to all that are. */
export function mayBeNational(digits: string, region: CountryCode): boolean {
  const plan = plans.get(region);
  // Where national numbers are rewritten first (Argentina's mobiles), only the library knows.
  if (!plan) return true;
  return plan.pattern.test(digits) || plan.pattern.test(digits.replace(plan.trunk, ''));
}

/**
 * A number of the region that begins with the trunk prefix 0 or is grouped as is usual there. Other numbers have as many
 * digits, so that one in a single piece needs the 0.
 */
export function isNational(written: string, { digits, groups }: PhoneWindow, region: CountryCode): boolean {
  const hasTrunk = digits.startsWith('0');
  if ((groups.length === 1 && !hasTrunk) || !mayBeNational(digits, region)) return false;
  const number = parsePhoneNumberFromString(written, region);
  if (!number?.isValid()) return false;
  return (
    hasTrunk ||
    number
      .formatNational()
      .match(/\d+/g)
      ?.map(({ length }) => length)
      .join() === groups.join()
  );
}

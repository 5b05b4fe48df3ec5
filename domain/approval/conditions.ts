import type { Condition } from '../../contracts/gate-policy.ts';
import type { JsonValue } from '../../contracts/json.ts';

/** `unknown`: it can't be told from the arguments as they are, such as whether a token or a text is more than a number. */
export type Truth = 'yes' | 'no' | 'unknown';

const DECIMAL = /^-?\d+(\.\d+)?$/;

/** Whether all conditions hold for these arguments. Never throws, whatever the arguments are. */
export function allHold(conditions: readonly Condition[], args: JsonValue): Truth {
  const truths = conditions.map((condition) => holds(condition, args));
  if (truths.includes('no')) return 'no';
  return truths.includes('unknown') ? 'unknown' : 'yes';
}

/** Where the path has a `*`, whether it holds for any of the elements. */
function holds(condition: Condition, args: JsonValue): Truth {
  const truths = valuesAt(args, condition.path.split('.')).map((value) => holdsFor(condition, value));
  if (truths.includes('yes')) return 'yes';
  return truths.includes('unknown') ? 'unknown' : 'no';
}

/** `undefined` stands for an argument that is not there. */
function valuesAt(value: JsonValue | undefined, [name, ...rest]: readonly string[]): readonly (JsonValue | undefined)[] {
  if (name === undefined) return [value];
  if (name === '*' && Array.isArray(value)) return (value as readonly JsonValue[]).flatMap((element) => valuesAt(element, rest));
  const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return valuesAt(isThere ? (value as Record<string, JsonValue>)[name] : undefined, rest);
}

function holdsFor({ operator, value: expected = null }: Condition, actual: JsonValue | undefined): Truth {
  if (operator === 'present') return truth(actual !== undefined && actual !== null);
  const isHidden = typeof actual === 'string' && actual.includes('⟦');
  if (isHidden) return 'unknown';
  const list = Array.isArray(expected) ? expected : [expected];
  switch (operator) {
    case '==':
    case 'in':
      return truth(list.some((candidate) => isEqual(candidate, actual)));
    case '!=':
    case 'notIn':
      return truth(!list.some((candidate) => isEqual(candidate, actual)));
    default:
      return compare(operator, numberOf(actual), Number(expected));
  }
}

function compare(operator: '>' | '>=' | '<' | '<=', actual: number | null, expected: number): Truth {
  if (actual === null) return 'unknown';
  const difference = actual - expected;
  const isSo = { '>': difference > 0, '>=': difference >= 0, '<': difference < 0, '<=': difference <= 0 };
  return truth(isSo[operator]);
}

function isEqual(expected: JsonValue, actual: JsonValue | undefined): boolean {
  if (expected === actual) return true;
  const [left, right] = [numberOf(expected), numberOf(actual)];
  return left !== null && left === right && (typeof expected === 'number' || typeof actual === 'number');
}

function numberOf(value: JsonValue | undefined): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && DECIMAL.test(value) ? Number(value) : null;
}

function truth(isSo: boolean): Truth {
  return isSo ? 'yes' : 'no';
}

import { TollgateError } from '../../contracts/failures.ts';

/**
 * For what was paid for or done already and must be written down: where the keys of the vault can't be had, its values are
 * masked and gone.
 */
export async function orMasked<T>(redact: () => Promise<T>, mask: () => T): Promise<T> {
  try {
    return await redact();
  } catch (error) {
    if (error instanceof TollgateError && ['erased', 'unreadable', 'keysUnavailable'].includes(error.type)) return mask();
    throw error;
  }
}

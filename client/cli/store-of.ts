import { TollgateError } from '../../contracts/failures.ts';
import type { Store } from '../../domain/store/port.ts';
import type { CliServices } from './services.ts';

/** The store itself, for commands that change what an API does not let anybody change. @throws TollgateError where TOLLGATE_URL is set. */
export async function storeOf(services: CliServices, what: string): Promise<Store> {
  const api = services.api();
  if (!api) return await services.openStore();
  throw new TollgateError('invalidInput', `TOLLGATE_URL is ${api.url}, and ${what} where that API has its store. Unset TOLLGATE_URL there and run this again.`);
}

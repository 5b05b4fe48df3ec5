import { TollgateError } from '../../contracts/failures.ts';
import type { TokenVerifier } from '../../domain/identity/port.ts';
import type { Store } from '../../domain/store/port.ts';
import { callerOf } from '../http/auth.ts';
import { bindDoor } from '../http/bound-door.ts';
import { createLocalDoor, type LocalDoorPorts } from '../local-door.ts';
import type { RunsDoor } from '../runs-door.ts';

export interface PersonDoorPorts {
  readonly local: LocalDoorPorts;
  readonly store: () => Promise<Store>;
  readonly verifier: TokenVerifier;
  /** TOLLGATE_TOKEN. */
  readonly token: string | undefined;
}

/**
 * The door of this machine where an issuer says who people are: decisions are signed for the person that the token is
 * about, and for nobody else, at gates that are theirs.
 */
export function decidingAsPerson({ local, store, verifier, token }: PersonDoorPorts): RunsDoor {
  const theirs = async (): Promise<RunsDoor> => {
    if (token === undefined || token.startsWith('tg_'))
      throw new TollgateError(
        'unauthenticated',
        'TOLLGATE_OIDC_ISSUER says who people are, so a decision needs an access token of that issuer in TOLLGATE_TOKEN. Or decide through the API: set TOLLGATE_URL too.',
      );
    const caller = callerOf(await verifier.verify(token));
    return bindDoor(createLocalDoor({ ...local, identity: () => caller.identity }), await store(), caller);
  };
  return { ...createLocalDoor(local), ...Object.fromEntries(SIGNED.map((name) => [name, asPerson(theirs, name)])) };
}

/** What is done in somebody's name, and so only once it is known whose. */
const SIGNED = [
  'approve',
  'deny',
  'edit',
  'withdraw',
  'signDecision',
  'ask',
  'take',
  'release',
  'decideBatch',
  'liftStop',
  'grantStanding',
  'signStanding',
  'revokeStanding',
  'delegate',
  'revokeDelegation',
] as const satisfies readonly (keyof RunsDoor)[];

function asPerson(theirs: () => Promise<RunsDoor>, name: (typeof SIGNED)[number]) {
  return async (...args: unknown[]) => {
    const door = await theirs();
    return await (door[name] as (...args: unknown[]) => Promise<unknown>)(...args);
  };
}

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
  return {
    ...createLocalDoor(local),
    approve: async (approvalId, options) => (await theirs()).approve(approvalId, options),
    deny: async (approvalId, options) => (await theirs()).deny(approvalId, options),
    withdraw: async (approvalId, options) => (await theirs()).withdraw(approvalId, options),
    signDecision: async (approvalId, decision) => (await theirs()).signDecision(approvalId, decision),
  };
}

import type { Decision, SignedDecision } from '../../contracts/approval.ts';
import type { SignedStatement, Statement } from '../../contracts/statement.ts';

/** Signs decisions for people it has verified, or for the developer at this machine. Private keys live behind it. */
export interface DecisionSigner {
  /** `<base64url of the decision's JSON>.<base64url of its Ed25519 signature>`. */
  sign(decision: Decision): SignedDecision;
  /** The same form for what else people sign. */
  signStatement(statement: Statement): SignedStatement;
}

/** Holds public keys only. */
export interface DecisionVerifier {
  /** The decision inside a signed one; null where the signature, the encoding or the shape is wrong. Never throws. */
  verify(signed: SignedDecision): Decision | null;
  /** The same for a statement; null also where it is a decision. Never throws. */
  readStatement(signed: SignedStatement): Statement | null;
}

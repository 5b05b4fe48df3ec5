/** Every `patched('…')` id by name, with the date after which no run can need it. */
export const PATCHES = {
  /** Gates that are decided when they are opened, and that have moments before they expire. From 2027-12-01 on no run can need it. */
  gateOutcomes: 'gate-outcomes',
  /** Repairs by operators. Set by a run's first one, so that no older worker goes on from there. From 2027-12-01 on no run can need it. */
  repairs: 'repairs',
  /** Each person has tries of their own at a gate; before, a gate had so many in all. From 2027-12-01 on no run can need it. */
  triesByPerson: 'tries-by-person',
} as const;

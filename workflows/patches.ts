/** Every `patched('…')` id by name, with the date after which no run can need it. */
export const PATCHES = {} as const;

const MAX_LENGTH = 1_000;
const ANYWHERE = 'http://tollgate.invalid';

/**
 * Where to go after a login: a path of this site, as somebody asked for it. `/` in place of whatever could lead elsewhere,
 * however a browser reads it: another host, a scheme, a backslash, a control character, the login itself.
 */
export function returnPath(asked: string | undefined): string {
  if (asked === undefined || asked.length > MAX_LENGTH || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(asked) || !URL.canParse(asked, ANYWHERE)) return '/';
  const { origin, pathname, search, hash } = new URL(asked, ANYWHERE);
  // What a browser makes of dots must not begin with two slashes either.
  if (origin !== ANYWHERE || pathname.startsWith('//') || /^\/log(in|out)(\/|$)/.test(pathname)) return '/';
  return `${pathname}${search}${hash}`;
}

/** The parts of the package, which brings no types, that tests use. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  interface Model {
    save(): Promise<string>;
  }

  export class Provider {
    constructor(issuer: string, configuration: object);
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    readonly Client: { find(id: string): Promise<object> };
    readonly AccessToken: new (
      properties: object,
    ) => Model & { resourceServer: object };
    readonly IdToken: new (
      claims: object,
      context: object,
    ) => { issue(options: object): Promise<string> };
    readonly ResourceServer: new (
      identifier: string,
      info: object,
    ) => object;
  }
}

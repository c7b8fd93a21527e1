/** The part of oidc-provider 9 that the development identity provider uses; the package ships no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export interface ResourceServerInfo {
    scope: string;
    audience: string;
    accessTokenFormat: 'jwt';
    accessTokenTTL: number;
    jwt: { sign: { alg: string } };
  }

  export interface Client {
    readonly clientId: string;
    readonly clientName?: string;
    metadata(): Readonly<Record<string, unknown>>;
  }

  export interface Grant {
    addOIDCScope(scope: string): void;
    addOIDCClaims(claims: readonly string[]): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  }

  export interface AccessToken {
    readonly expiration: number;
    save(): Promise<string>;
  }

  export interface Context {
    body: unknown;
    type: string;
    readonly oidc: { readonly client: Client; readonly params: Readonly<Record<string, string | undefined>> };
  }

  export interface Interaction {
    readonly uid: string;
    readonly grantId?: string;
    readonly params: Readonly<Record<string, unknown>>;
    readonly session?: { readonly accountId: string };
    readonly prompt: {
      readonly name: string;
      readonly details: {
        readonly missingOIDCScope?: readonly string[];
        readonly missingOIDCClaims?: readonly string[];
        readonly missingResourceScopes?: Readonly<Record<string, readonly string[]>>;
      };
    };
  }

  export default class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: Readonly<Record<string, unknown>>,
      options: { mergeWithLastSubmission: boolean },
    ): Promise<void>;
    registerGrantType(name: string, handler: (context: Context) => Promise<void>, parameters: readonly string[]): void;
    readonly Grant: {
      new (init: { accountId: string; clientId: string }): Grant;
      find(id: string): Promise<Grant | undefined>;
    };
    readonly ResourceServer: new (identifier: string, info: ResourceServerInfo) => object;
    readonly AccessToken: new (init: {
      accountId: string;
      client: Client;
      grantId: string;
      gty: string;
      scope: string;
      resourceServer: object;
      expiresIn?: number;
    }) => AccessToken;
  }

  export namespace errors {
    class InvalidTarget extends Error {}
    class InvalidGrant extends Error {
      constructor(detail: string);
    }
  }
}

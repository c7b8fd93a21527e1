import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import type { Interaction } from 'oidc-provider';
import { escapedHtml, htmlPage } from '../model/html-page.ts';
import type { DemoUser } from './identity-provider-config.ts';

const maxFormBytes = 4096;

/**
 * Answers `/interaction/<uid>`: a form with the demo users for sign-in, one with the requested scopes for consent. There are no
 * passwords: this provider is for loopback.
 */
export async function serveInteraction(
  provider: Provider,
  users: readonly DemoUser[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const interaction = await provider.interactionDetails(request, response);
  const login = interaction.prompt.name === 'login';
  if (request.method !== 'POST') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(login ? loginPage(interaction, users) : consentPage(interaction));
    return;
  }
  const form = await readForm(request);
  const subject = form.get('subject') ?? '';
  if (login && !users.some((user) => user.subject === subject)) {
    response.writeHead(400, { 'content-type': 'text/plain' }).end('unknown user\n');
    return;
  }
  const result = login ? { login: { accountId: subject } } : { consent: { grantId: await consent(provider, interaction) } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: !login });
}

function loginPage(interaction: Interaction, users: readonly DemoUser[]): string {
  const buttons = users.map(
    ({ subject, name, groups }) =>
      `<p><button name="subject" value="${escapedHtml(subject)}">${escapedHtml(name)} (${escapedHtml(groups.join(', '))})</button></p>`,
  );
  return htmlPage('Sign in', '', form(interaction, buttons.join('')));
}

function consentPage(interaction: Interaction): string {
  const { client_id: client, scope } = interaction.params;
  const asks = [client, 'asks for:', scope].filter((part) => typeof part === 'string').join(' ');
  return htmlPage('Allow access', '', form(interaction, `<p>${escapedHtml(asks)}</p><button>Allow</button>`));
}

function form(interaction: Interaction, body: string): string {
  return `<form method="post" action="/interaction/${interaction.uid}">${body}</form>`;
}

async function consent(provider: Provider, { grantId, session, params, prompt }: Interaction): Promise<string> {
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const grant = known ?? new provider.Grant({ accountId: session?.accountId ?? '', clientId: String(params['client_id']) });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims !== undefined) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  return await grant.save();
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxFormBytes) throw new Error('the form is too large');
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

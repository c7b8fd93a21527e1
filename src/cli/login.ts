import { Command } from 'commander';
import { startCodeLogin, startDeviceLogin, type LoginOptions, type LoginTokens } from '../identity/login.ts';
import { GatewayError } from '../model/errors.ts';
import { credentialsPath, dropLogin, writeLogin } from './credentials.ts';
import { visible } from './output.ts';
import type { CommandContext } from './program.ts';

/** The admin API's metadata: RFC 9728, and with which client people sign in. */
interface AdminMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported?: readonly string[];
  readonly castellan_client_id?: string;
}

/** `castellan login`: signs a person in for the commands that use the admin API. */
export function loginCommand({ output }: CommandContext): Command {
  return new Command('login')
    .description('sign in at a gateway, for approvals, keys and audit')
    .requiredOption('--server <url>', 'the gateway, such as https://mcp.example.com', process.env['CASTELLAN_SERVER'])
    .option('--device', 'sign in on another device with a code, instead of the browser on this one')
    .option('--logout', 'forget the sign-in at this gateway')
    .action(async (options: { server: string; device?: boolean; logout?: boolean }) => {
      const server = options.server.replace(/\/+$/, '');
      const path = credentialsPath(process.env);
      if (options.logout === true) {
        const dropped = dropLogin(path, server);
        output.answer({ server, signed_out: dropped }, () => (dropped ? `signed out of ${server}` : `not signed in at ${server}`));
        return;
      }
      const metadata = await adminMetadata(server);
      const [issuer] = metadata.authorization_servers;
      const clientId = metadata.castellan_client_id;
      if (issuer === undefined || clientId === undefined) {
        throw new GatewayError(
          'request.invalid',
          `\`${server}\` has no sign-in for people; set \`admin.login.client_id\` in its configuration`,
        );
      }
      const scopes = metadata.scopes_supported ?? [];
      const request = {
        issuer,
        clientId,
        resource: metadata.resource,
        ...(scopes.length === 0 ? {} : { scopes: ['openid', 'offline_access', ...scopes] }),
      };
      const tokens = options.device === true ? await byDevice(request, output) : await byBrowser(request, output);
      writeLogin(path, { server, audience: metadata.resource, ...tokens });
      const until = new Date(tokens.expiresAtMs).toISOString();
      output.answer(
        { server, subject: tokens.subject ?? null, expires_at: until },
        () => `signed in at ${server}${tokens.subject === undefined ? '' : ` as ${visible(tokens.subject)}`}`,
      );
    });
}

async function byBrowser(request: LoginOptions, output: CommandContext['output']): Promise<LoginTokens> {
  const login = await startCodeLogin(request);
  output.note(`open this address in a browser on this machine:\n\n  ${visible(login.url)}\n`);
  return login.tokens;
}

async function byDevice(request: LoginOptions, output: CommandContext['output']): Promise<LoginTokens> {
  const login = await startDeviceLogin(request);
  output.note(`open ${visible(login.verificationUri)} on any device and enter the code\n\n  ${visible(login.userCode)}\n`);
  return login.tokens;
}

async function adminMetadata(server: string): Promise<AdminMetadata> {
  try {
    const response = await fetch(`${server}/.well-known/oauth-protected-resource/admin/v1`, {
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    if (response.ok) return (await response.json()) as AdminMetadata;
  } catch (cause) {
    throw new GatewayError('upstream.unreachable', `\`${server}\` does not answer; check the address and that the gateway is up`, {
      cause,
    });
  }
  throw new GatewayError('request.invalid', `\`${server}\` has no admin API; enable \`admin\` in its configuration`);
}

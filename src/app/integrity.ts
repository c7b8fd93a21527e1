import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import type { IntegrityTools, LockAnswer, LockRequest, ScannedDrift } from '../cli/integrity-tools.ts';
import { loadConfig } from '../config/load.ts';
import { scanDefinition } from '../content/definition-scan.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { Catalogue } from '../upstream/catalogue.ts';
import { viewCatalogue } from '../upstream/catalogue-view.ts';
import { diffLocks } from '../upstream/definition-diff.ts';
import {
  lockfileText,
  lockInstructions,
  lockTool,
  readLockfile,
  type LockedServer,
  type LockedTool,
  type Lockfile,
} from '../upstream/lockfile.ts';
import type { UpstreamOptions, Upstreams } from '../upstream/types.ts';
import { createUpstreams } from '../upstream/upstreams.ts';
import { version } from '../version.ts';
import { Endpoints, upstreamOptions } from './upstreams.ts';

/** The commands about what servers say of themselves. They read the servers themselves and need no running gateway. */
export const integrityTools: IntegrityTools = {
  async lock(request) {
    const { config } = loadConfig(request.configPath, request.env);
    const locked = readLockfile(config.lockfile);
    if (locked === undefined && !request.write)
      throw new GatewayError(
        'request.invalid',
        `there is no lockfile \`${config.lockfile}\` to compare with; write it with \`castellan lock\``,
      );
    // Without a lockfile in force: the labels that are written down are those of the configuration.
    const options = asked(upstreamOptions(config, { version: 1, servers: {} }), request);
    return withUpstreams(options, (upstreams) => {
      requireAll(upstreams);
      return compared(config.lockfile, locked, upstreams.catalogue(), request, Object.keys(config.upstreams));
    });
  },
  async catalogue({ configPath, env }) {
    const { config } = loadConfig(configPath, env);
    return withUpstreams(upstreamOptions(config), (upstreams) => {
      const endpoints = new Endpoints(config, () => upstreams.catalogue());
      const views = endpoints.names().flatMap((name) => endpoints.view(name) ?? []);
      return viewCatalogue(upstreams.catalogue(), upstreams.status(), views);
    });
  },
};

/** The servers that a request is about. @throws GatewayError `request.invalid` for a name that is none of them */
function asked(options: readonly UpstreamOptions[], { update, instructions }: LockRequest): readonly UpstreamOptions[] {
  if (update === undefined && instructions === undefined) return options;
  const names = new Set([...(update ?? []).map(serverOf), ...(instructions ?? [])]);
  for (const name of names)
    if (!options.some((one) => one.name === name))
      throw new GatewayError(
        'request.invalid',
        `there is no upstream \`${name}\`; there are ${options.map((one) => `\`${one.name}\``).join(', ')}`,
      );
  return options.filter(({ name }) => names.has(name));
}

function serverOf(entry: string): string {
  return entry.split('/')[0] ?? '';
}

/** Reads what servers list, without pins: nothing is seen first by a command. */
async function withUpstreams<T>(options: readonly UpstreamOptions[], work: (upstreams: Upstreams) => T): Promise<T> {
  const upstreams = createUpstreams(options, {
    pins: { get: (): Digest | undefined => undefined, put: (): void => undefined },
    log: () => undefined,
    clientInfo: { name: 'castellan', version },
    scan: scanDefinition,
  });
  try {
    await upstreams.settled();
    return work(upstreams);
  } finally {
    await upstreams.close();
  }
}

/** A lockfile without the tools of a server that happened to be down would quarantine them all. */
function requireAll(upstreams: Upstreams): void {
  const down = upstreams.status().filter(({ state }) => state !== 'ready');
  if (down.length === 0) return;
  const names = down.map(({ name, error }) => `\`${name}\`${error === undefined ? '' : ` (${error})`}`).join(', ');
  throw new GatewayError(
    'upstream.unreachable',
    `the tools of ${names} are not known, so nothing was written; start it, or name others with \`--update\``,
  );
}

function compared(
  path: string,
  locked: Lockfile | undefined,
  catalogue: Catalogue,
  request: LockRequest,
  configured: readonly string[],
): LockAnswer {
  const before = locked ?? { version: 1, servers: {} };
  const live = lockOf(catalogue);
  const isPart = request.update !== undefined || request.instructions !== undefined;
  const servers = isPart ? Object.keys(live.servers) : [...new Set([...Object.keys(before.servers), ...configured])];
  const drift = diffLocks(before, live, servers).map((one) => ({ ...one, findings: findingsOf(catalogue, one.server, one.tool) }));
  const isTaken = ({ server, tool }: ScannedDrift): boolean =>
    !isPart ||
    request.update?.includes(server) === true ||
    (tool === null ? request.instructions?.includes(server) === true : request.update?.includes(`${server}/${tool}`) === true);
  const taken = request.write ? drift.filter(isTaken) : [];
  for (const entry of request.update ?? []) requireKnown(entry, before, live);
  const after = isPart || !request.write ? withTaken(before, live, taken) : live;
  if (request.write && (taken.length > 0 || locked === undefined)) write(path, after);
  const tools = Object.values((request.write ? after : live).servers).reduce((sum, server) => sum + Object.keys(server.tools).length, 0);
  return { path, written: request.write, servers: Object.keys((request.write ? after : live).servers).length, tools, drift, taken };
}

/** What the servers of a catalogue say, as a lockfile. */
function lockOf({ upstreams }: Catalogue): Lockfile {
  const servers: Record<string, LockedServer> = {};
  for (const [name, entry] of upstreams) {
    const tools: Record<string, LockedTool> = {};
    for (const tool of entry.tools.values())
      // No lockfile could be read that has this name: such a tool is never pinned.
      if (tool.name !== '__proto__') tools[tool.name] = lockTool(tool.definition, tool.labels);
    servers[name] = { instructions: lockInstructions(entry.instructions?.text), tools };
  }
  return { version: 1, servers };
}

function withTaken(before: Lockfile, live: Lockfile, taken: readonly ScannedDrift[]): Lockfile {
  const servers: Record<string, LockedServer> = { ...before.servers };
  for (const { server, tool } of taken) {
    const old = servers[server] ?? { instructions: null, tools: {} };
    const now = live.servers[server];
    if (tool === null) servers[server] = { ...old, instructions: now?.instructions ?? null };
    else {
      const { [tool]: _old, ...others } = old.tools;
      const entry = now !== undefined && Object.hasOwn(now.tools, tool) ? now.tools[tool] : undefined;
      servers[server] = { ...old, tools: entry === undefined ? others : { ...others, [tool]: entry } };
    }
  }
  return { version: 1, servers };
}

function requireKnown(entry: string, before: Lockfile, live: Lockfile): void {
  const server = serverOf(entry);
  if (entry === server) return;
  const tool = entry.slice(server.length + 1);
  if (![before, live].some(({ servers }) => Object.hasOwn(servers[server]?.tools ?? {}, tool)))
    throw new GatewayError('request.invalid', `\`${server}\` has no tool \`${tool}\`, and none is locked; see \`castellan catalogue\``);
}

function findingsOf({ upstreams }: Catalogue, server: string, tool: string | null): ScannedDrift['findings'] {
  const entry = upstreams.get(server);
  return (tool === null ? entry?.instructions?.findings : entry?.tools.get(tool)?.findings) ?? [];
}

/** Whoever reads meanwhile has the old file or the new one, whole. @throws GatewayError `request.invalid` */
function write(path: string, lock: Lockfile): void {
  const beside = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    writeFileSync(beside, lockfileText(lock));
    renameSync(beside, path);
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${path}\` cannot be written; check its folder and its permissions`, { cause });
  }
}

/**
 * What waits and what flows: memory of an idle session, and a thousand progress messages a second through one process. `node
 * test/bench/sessions.ts`; also the end of `npm run bench`. The gateway is a process of its own, each session has made one call at one server.
 */
import { readFileSync } from 'node:fs';
import { startGatewayProcess, type GatewayProcess } from '../e2e/policy/gateway-process.ts';
import { call, done, progress } from '../e2e/transport/held-call.ts';
import { Listening } from '../e2e/transport/listening.ts';
import { RawAgent, startGatewayFixture } from '../support/gateway.ts';
import { echoTool, startRecordingUpstream, stream } from '../support/recording-upstream.ts';

const warmUp = 500;
const sessions = 2_000;
const seconds = 3;
const perSecond = 1_000;
const tickMs = 10;

// On SIGUSR2 the gateway collects its garbage and says what is left: an idle process does not collect by itself.
const collector = `import v8 from 'node:v8'; import vm from 'node:vm'; import { isMainThread } from 'node:worker_threads';
if (isMainThread) { v8.setFlagsFromString('--expose-gc'); const gc = vm.runInNewContext('gc');
process.on('SIGUSR2', () => { gc(); gc(); const { heapUsed, external } = process.memoryUsage(); console.log('USED ' + (heapUsed + external)); }); }`;
process.env['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(collector)}`;

const upstream = await startRecordingUpstream();
upstream.tools = [echoTool];
const running: { gateway?: GatewayProcess } = {};
const fixture = await startGatewayFixture({
  upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
  extra: 'limits: { sessions_per_identity: 10000 }',
  start: async ({ configPath }) => (running.gateway = await startGatewayProcess(configPath)),
});
const pid = running.gateway?.pid ?? 0;
const agent = async (): Promise<RawAgent> => new RawAgent(fixture.endpoint(), await fixture.token()).open();

try {
  await open(warmUp);
  const before = await usedBytes();
  await open(sessions);
  const eachKb = ((await usedBytes()) - before) / sessions / 1_000;
  console.log(`an idle session that has made a call: ${eachKb.toFixed(1)} kB of memory (aim: less than 10), over ${sessions} sessions`);

  upstream.once('tools/call', (scene) => {
    stream(scene.response);
    const startedMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.min(((performance.now() - startedMs) / 1_000) * perSecond, seconds * perSecond);
      for (; sent < due; sent++) scene.response.write(progress(scene, sent));
      if (sent < seconds * perSecond) return;
      clearInterval(timer);
      scene.response.end(done(scene));
    }, 5);
  });
  const [startedMs, cpuBefore] = [performance.now(), cpuMs()];
  const listening = await Listening.post(await agent(), call(1, 'progress'));
  await listening.done;
  const tookS = (performance.now() - startedMs) / 1_000;
  const arrived = listening.messages.length - 1;
  const each = ((cpuMs() - cpuBefore) / arrived).toFixed(2);
  console.log(
    `${arrived} of ${seconds * perSecond} progress messages, sent in ${seconds} s, arrived in ${tookS.toFixed(1)} s; ${each} ms of CPU each, judged and recorded`,
  );
  if (arrived !== seconds * perSecond) process.exitCode = 1;
} finally {
  await fixture.close();
  await upstream.close();
}

async function open(count: number): Promise<void> {
  const token = await fixture.token();
  for (let made = 0; made < count; made += 20)
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const one = await new RawAgent(fixture.endpoint(), token).open();
        await one.call('echo', { text: 'x' });
      }),
    );
}

/** What the gateway's main thread holds, garbage collected. */
async function usedBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const seen = (): string[] => [...(running.gateway?.output().matchAll(/USED (\d+)/g) ?? [])].map(([, bytes = '']) => bytes);
  const count = seen().length;
  process.kill(pid, 'SIGUSR2');
  while (seen().length === count) await new Promise((resolve) => setTimeout(resolve, 50));
  return Number(seen().at(-1));
}

function cpuMs(): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/**
 * How fast what is on record is evaluated against a candidate. Run by `npm run bench:replay`. Every input is another one, about 2.4 kB, of the
 * gateway's own input builder; so nothing is saved by having seen it before. The figures to compare are those of processor time: on a busy
 * machine the wall clock says little. `node test/bench/replay.ts 20000` takes fewer decisions.
 */
import { readGoldenCases } from '../../src/release/golden-cases.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import type { RecordedDecision } from '../../src/model/recorded.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { replayBuiltins } from '../../src/app/candidate.ts';
import { replay } from '../../src/replay/replay.ts';
import type { ReplayReport } from '../../src/replay/report.ts';
import { Releases, root, shippedFiles } from '../replay/releases.ts';
import { inMemory, person, Recorder, tool } from '../replay/traffic.ts';

const wanted = Number(process.argv[2] ?? 60_000);
const workers = 2;
const bytesPerInput = 2_400;
const releases = new Releases();
const shipped = await releases.of(await shippedFiles(), 'shipped');
const stricter = await releases.of(
  await shippedFiles({
    'rules/new/prefix.rego': 'package rules.new.prefix\n\ndeny contains "no" if startswith(input.arguments.path, "/turn/1")\n',
  }),
  'stricter',
);

/** Calls as the gateway records them, of a few people with a few tools. */
async function base(): Promise<readonly RecordedDecision[]> {
  const engine = await releases.engine(shipped);
  const recorder = new Recorder(engine, 5);
  const people = [person('alice', ['engineering']), person('bob', ['support']), person('carol', ['finance', 'engineering'])];
  const tools = [
    tool('memory', 'read_graph', { annotations: { readOnlyHint: true } }),
    tool('memory', 'create_entities', { labels: ['write'] }),
    tool('files', 'read_file', { labels: ['read', 'private'] }),
    tool('everything', 'fetch', { labels: ['egress'] }),
  ];
  for (let turn = 0; turn < 300; turn++) {
    const [who, what] = [people[turn % people.length], tools[turn % tools.length]];
    if (who !== undefined && what !== undefined) await recorder.call(who, what, { path: `notes/${turn}.txt`, limit: turn });
    recorder.later(7_000);
  }
  await engine.close();
  return recorder.recorded.filter(({ entry }) => entry === 'gateway/call');
}

/** The same decision on another input of the wanted size: another number in its arguments, which every release reads. */
function another(one: RecordedDecision, seq: number): RecordedDecision {
  if (one.input.state !== 'kept') return one;
  const input = JSON.parse(one.input.json) as JsonObject;
  const args = input['arguments'] as JsonObject;
  const whole = (pad: number): string => JSON.stringify({ ...input, arguments: { ...args, limit: seq, note: 'n'.repeat(pad) } });
  return { ...one, seq, input: { state: 'kept', json: whole(Math.max(0, bytesPerInput - whole(0).length)) } };
}

async function timed(recorded: readonly RecordedDecision[], candidate: typeof shipped): Promise<{ report: ReplayReport; cpuUs: number }> {
  const before = process.cpuUsage();
  const report = await replay({
    recorded: inMemory(recorded),
    filter: { tenant: 'default' },
    candidate,
    builtins: replayBuiltins(),
    workers,
  });
  const { user, system } = process.cpuUsage(before);
  return { report, cpuUs: user + system };
}

const recorded = await base();
const all = Array.from({ length: wanted }, (_, index) => another(recorded[index % recorded.length] as RecordedDecision, index + 1));
const bytes = all.reduce((sum, { input }) => sum + (input.state === 'kept' ? input.json.length : 0), 0) / all.length;
const { cases } = await readPolicySource(`${root}/policies`, `${root}/policy-tests`);
console.log(
  `${all.length} decisions of ${Math.round(bytes)} B, ${workers} workers; policies that ship, ${readGoldenCases(cases).length} golden cases`,
);
await timed(all.slice(0, 4_000), shipped);
for (const [name, candidate] of [
  ['the same release', shipped],
  ['one more rule', stricter],
] as const) {
  const { report, cpuUs } = await timed(all, candidate);
  const each = cpuUs / report.replayed;
  console.log(
    [
      name.padEnd(18),
      `${report.per_s}/s on the wall clock`,
      `${each.toFixed(1)} µs of processor each: ${Math.round(1e6 / each)}/s on one core, ${Math.round((workers * 1e6) / each)}/s on ${workers}`,
      `${report.evaluated} evaluated, p50 ${report.latency.candidate.p50_us ?? 0} µs`,
      `${report.changed} differ`,
    ].join('; '),
  );
}
await releases.close();

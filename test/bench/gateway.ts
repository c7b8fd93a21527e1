/**
 * What the gateway costs: `npm run bench`, `npm run bench -- --quick` for one round. Drives the harness in ../shared/bench beside its relays, all
 * in one run; without the harness, a small comparison of its own. Needs an otherwise idle machine to mean anything.
 */
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { harnessIsThere, prepareHarness, rivalFigures, run, runHarness } from './harness.ts';
import { load, startCandidate, startUpstream } from './processes.ts';
import { aims, figures, isBusy, table } from './report.ts';
import { changedData, ours, projectFolder, writeCandidates } from './setup.ts';
import { runSmall } from './small/compare.ts';
import { printStages } from './stages.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    small: { type: 'boolean', default: false },
    stages: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
const floors = ['direct', 'node-undici', 'node-http-parse-jwtcache', 'node-express5-lean'];

await run('npm', ['run', 'build', '--silent'], { cwd: projectFolder });
if (values.small || !harnessIsThere()) {
  if (!values.small)
    console.log('../shared/bench is not there: a small comparison of our own follows, whose figures compare with nothing else\n');
  process.exitCode = (await runSmall(values.quick ? 5_000 : 20_000)) ? 0 : 1;
} else process.exitCode = (await bench()) ? 0 : 1;

async function bench(): Promise<boolean> {
  await prepareHarness();
  const candidates = await writeCandidates();
  await prepareReleases();
  const [cpu] = cpus();
  console.log(
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${cpu?.model ?? 'CPU'}, load ${loadavg()[0]?.toFixed(1) ?? '?'}; ` +
      `gateway on one CPU, upstream and generator on another; ${rounds} round${rounds === 1 ? '' : 's'}, medians`,
  );
  if (!values.stages) {
    const visits = await runHarness([...floors, ...ours.map(({ name }) => name)], rounds, candidates);
    const rows = figures(visits);
    console.log(`\n${table(rows)}\n`);
    console.log(
      'castellan: JWT, the shipped policies on call and result, content scan, audit on SQLite (flushed before anything is sent),',
    );
    console.log('  the whole input of each decision sealed with its record');
    console.log(`  ${changedData}`);
    console.log(
      'castellan-relaxed: the same, without the flush; castellan-digests: with digests of inputs alone (`audit.inputs.enabled: false`)',
    );
    console.log(
      'they are warmed up with 20,000 calls or 8 s, by when V8 has compiled what a call needs; the relays, which are small, with 4,000\n',
    );
    if (isBusy(visits)) console.log('the machine was busy (direct calls were slow): only the ratios mean something, latencies do not\n');
    for (const line of aims(rows, isBusy(visits))) console.log(line);
    const rivals = await rivalFigures();
    if (rivals !== '') console.log(`rivals, CPU ms a call at 16 agents, on the machine of RIVALS.md: ${rivals}`);
    const failed = rows.filter(
      ({ name, errors, problem, cpuMs }) =>
        ours.some((one) => one.name === name) && (errors > 0 || problem !== undefined || cpuMs.c16 === undefined),
    );
    for (const { name, errors, problem } of failed) console.log(`${name} failed ${errors} calls: ${problem ?? 'no figure; see the logs'}`);
    if (failed.length > 0) return false;
  }
  await printStages('castellan', values.quick ? 10_000 : 30_000);
  if (!values.stages) {
    console.log('');
    await run(process.execPath, [join(projectFolder, 'test/bench/sessions.ts')], { stdio: 'inherit' });
  }
  return true;
}

/** Once before anything is measured: a start finds its compiled and tested release and its narrowed lists, as every start but the first does. */
async function prepareReleases(): Promise<void> {
  const upstream = await startUpstream();
  try {
    for (const candidate of ours) {
      const gateway = await startCandidate(candidate, false);
      // The first list of an identity has its lists narrowed.
      await load(`http://127.0.0.1:${candidate.port}`, 100);
      const kept = join(candidate.folder, 'releases');
      const isNarrowed = async (): Promise<boolean> => (await readdir(kept)).some((name) => name.endsWith('.bounds'));
      for (let waits = 0; waits < 60 && !(await isNarrowed()); waits++) await sleep(500);
      await gateway.stop();
    }
  } finally {
    await upstream.stop();
  }
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts';
import { StageTimer, stageTable } from '../../src/observe/stage-timer.ts';

const options = { methods: ['tools/call', 'tools/list'], stages: ['decide', 'send'], process: false };

/** Prometheus text as a map from series to value; fails on a line that the format does not allow. */
async function series(metrics: Metrics): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const line of (await metrics.render()).split('\n')) {
    if (line === '' || /^# (HELP [a-z0-9_]+ \S.*|TYPE [a-z0-9_]+ (counter|gauge|histogram|summary))$/.test(line)) continue;
    const match =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})?) (-?[0-9.e+-]+|NaN|[+-]Inf|Nan)$/.exec(
        line,
      );
    assert.ok(match, `not a line of metrics: ${line}`);
    assert.ok(!found.has(match[1] ?? ''), `twice: ${line}`);
    found.set(match[1] ?? '', Number(match[2]));
  }
  return found;
}

describe('metrics', () => {
  it('count calls, decisions and times', async () => {
    const metrics = createMetrics(options);
    metrics.decided('tools/call', 'allow', 'billing', 0.3);
    metrics.finished('tools/call', 'billing', 12, 11.5);
    metrics.decided('tools/list', 'deny', '', 60);
    metrics.finished('tools/list', '', 61, 0);
    for (const reason of ['expired', 'expired', 'audience']) metrics.authFailed(reason);
    metrics.policyFault('timeout');
    metrics.refused('json.invalid');
    const all = await series(metrics);
    const expected: Readonly<Record<string, number>> = {
      'castellan_calls_total{effect="allow",upstream="billing",method="tools/call"}': 1,
      'castellan_calls_total{effect="deny",upstream="",method="tools/list"}': 1,
      'castellan_decision_seconds_bucket{le="0.00025"}': 0,
      'castellan_decision_seconds_bucket{le="0.0005"}': 1,
      'castellan_decision_seconds_bucket{le="0.1"}': 2,
      'castellan_decision_seconds_bucket{le="+Inf"}': 2,
      castellan_decision_seconds_count: 2,
      'castellan_call_seconds_bucket{le="0.01",upstream="billing"}': 0,
      'castellan_call_seconds_bucket{le="0.025",upstream="billing"}': 1,
      'castellan_call_seconds_sum{upstream="billing"}': 0.012,
      'castellan_upstream_seconds_count{upstream="billing"}': 1,
      'castellan_added_seconds_bucket{le="0.0005"}': 1,
      castellan_added_seconds_count: 2,
      'castellan_auth_failures_total{reason="expired"}': 2,
      'castellan_policy_faults_total{fault="timeout"}': 1,
      'castellan_refusals_total{code="json.invalid"}': 1,
      castellan_audit_failures_total: 0,
      castellan_release_load_failures_total: 0,
      castellan_config_reload_failures_total: 0,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(all.get(name), value, name);
    assert.ok(!all.has('castellan_upstream_seconds_count{upstream=""}'));
  });

  it('read gauges when asked, and go on without one that fails', async () => {
    const metrics = createMetrics(options);
    metrics.read({
      approvalsOpen: () => Promise.resolve(3),
      sessionsOpen: () => 2,
      auditQueue: () => Promise.reject(new Error('database gone')),
    });
    metrics.read({
      upstreams: () => [
        { name: 'billing', up: true },
        { name: 'files', up: false },
      ],
      release: () => ({ id: 'abc123', digest: 'sha256:00' }),
    });
    await series(metrics);
    const all = await series(metrics);
    assert.equal(all.get('castellan_approvals_open'), 3);
    assert.equal(all.get('castellan_sessions_open'), 2);
    assert.equal(all.has('castellan_audit_queue'), false);
    assert.equal(all.get('castellan_upstream_up{upstream="billing"}'), 1);
    assert.equal(all.get('castellan_upstream_up{upstream="files"}'), 0);
    assert.equal(all.get('castellan_release_info{release="abc123",digest="sha256:00"}'), 1);
    assert.ok((all.get('castellan_gauge_failures_total{gauge="audit_queue"}') ?? 0) >= 1);
  });

  it('have a bounded number of series, whatever agents send', async () => {
    const metrics = createMetrics(options);
    const count = async (): Promise<number> => (await series(metrics)).size;
    const send = (from: number): void => {
      for (let index = from; index < from + 2000; index++) {
        metrics.decided(`evil/${index}`, `effect${index}`, `upstream-${index}`, 1);
        metrics.finished(`evil/${index}`, `upstream-${index}`, 2, 1);
        metrics.policyFault(`fault${index}`);
        metrics.refused(`code${index}`);
        metrics.authFailed(`reason"\n\\${index}`);
        metrics.stage(`stage${index}`, 1);
      }
    };
    send(0);
    const before = await count();
    send(10_000);
    assert.ok((await count()) <= before + 10);
    assert.ok(before < 10_000);
    const all = await series(metrics);
    assert.equal(all.get('castellan_calls_total{effect="other",upstream="other",method="other"}'), 3800);
    assert.equal([...all.keys()].filter((name) => name.includes('evil')).length, 0);
  });

  it('have those of the process, event-loop delay included, unless told not to', async () => {
    const all = await series(createMetrics({ ...options, process: true }));
    for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds', 'process_cpu_seconds_total'])
      assert.ok(all.has(name), name);
  });

  it('of two gateways in one process are apart', async () => {
    const [one, other] = [createMetrics(options), createMetrics(options)];
    one.auditFailed();
    assert.equal((await series(one)).get('castellan_audit_failures_total'), 1);
    assert.equal((await series(other)).get('castellan_audit_failures_total'), 0);
  });
});

describe('the stage timer', () => {
  it('sums up each stage, and shows where the time goes', async () => {
    const metrics = createMetrics(options);
    metrics.stage('decide', 1);
    metrics.stage('decide', 2);
    metrics.stage('send', 9);
    assert.deepEqual(metrics.stages.read(), [
      { stage: 'decide', count: 2, totalMs: 3 },
      { stage: 'send', count: 1, totalMs: 9 },
    ]);
    assert.equal((await series(metrics)).get('castellan_stage_seconds_sum{stage="decide"}'), 0.003);
    assert.equal(
      stageTable(metrics.stages.read()),
      ['stage       runs   µs a run  share', 'decide         2     1500.0  25.0%', 'send           1     9000.0  75.0%'].join('\n'),
    );
  });

  it('starts again at nothing', () => {
    const timer = new StageTimer(['a']);
    timer.add('a', 5);
    timer.reset();
    assert.equal(stageTable(timer.read()), ['stage      runs   µs a run  share', 'a             0          –      –'].join('\n'));
  });
});

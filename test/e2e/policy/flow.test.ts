import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'node:test';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { answer, echoTool, startRecordingUpstream, type RecordingUpstream, type Scene } from '../../support/recording-upstream.ts';
import { assertInvariant, endAll, told, until } from './support.ts';

const path = { type: 'object', properties: { path: { type: 'string' } } };
const reading = { readOnlyHint: true };

/** Private-then-egress of the shipped policies, with servers that answer when the test says so. */
describe('private, then out', { timeout: 60_000 }, () => {
  let files: RecordingUpstream;
  let web: RecordingUpstream;
  let fixture: GatewayFixture;
  let people = 0;
  before(async () => {
    files = await startRecordingUpstream();
    files.tools = [{ name: 'read_text_file', description: 'Reads.', inputSchema: path }];
    web = await startRecordingUpstream();
    web.tools = [{ ...echoTool, annotations: reading }];
    fixture = await startGatewayFixture({
      upstreams:
        `  files: { http: { url: "${files.url}" }, pinning: first_seen, tools: { read_text_file: { labels: [read] } } }\n` +
        `  everything: { http: { url: "${web.url}" }, pinning: first_seen, tools: { echo: { labels: [egress] } } }`,
      endpoints: '  main: { upstreams: [{ name: files }, { name: everything }] }',
      policy: { folder: fileURLToPath(new URL('../../../policies', import.meta.url)) },
      policySettings: 'run_tests: false, deadline_ms: 1000',
      users: Array.from({ length: 9 }, (_, at) => ({ subject: `user${at}`, groups: ['engineering'], name: `User ${at}` })).concat([
        { subject: 'sofia', groups: ['security'], name: 'Sofia' },
      ]),
    });
  });
  afterEach(() => assertInvariant(fixture, files, web));
  after(() =>
    endAll(
      () => fixture.close(),
      () => files.close(),
      () => web.close(),
    ),
  );

  const somebody = async (): Promise<RawAgent> => new RawAgent(fixture.endpoint(), await fixture.token(`user${people++}`)).open();
  const send = async (agent: RawAgent, text: string): Promise<unknown> => {
    const hits = web.calls('tools/call').length;
    const { isError, note } = told(await agent.call('echo', { text }));
    assert.equal(web.calls('tools/call').length, hits + (isError ? 0 : 1));
    return isError ? note['reasons'][0].rule : 'sent';
  };
  /** Starts a read whose answer waits for `finish`. */
  const startRead = async (agent: RawAgent, file: string, end: (scene: Scene) => void = ({ behave }) => behave()) => {
    const hits = files.calls('tools/call').length;
    let finish = (): void => undefined;
    files.once('tools/call', (scene) => {
      finish = () => end(scene);
    });
    const done = agent.call('read_text_file', { path: file });
    await until('the read is under way', () => files.calls('tools/call').length > hits);
    return { done, finish: () => finish() };
  };

  it('stops a call that comes while the private read is still in flight', async () => {
    const agent = await somebody();
    assert.equal(await send(agent, 'before'), 'sent');
    const { done, finish } = await startRead(agent, 'private/plan.txt');
    assert.equal(await send(agent, 'beside'), 'flow/private_then_egress');
    finish();
    assert.equal(told(await done).isError, false);
    assert.equal(await send(agent, 'after'), 'flow/private_then_egress');
  });

  it('still stops it when the read failed on the way: it may have been executed', async () => {
    const agent = await somebody();
    const { done, finish } = await startRead(agent, 'private/plan.txt', ({ socket }) => void socket.resetAndDestroy());
    finish();
    assert.equal(told(await done).isError, true);
    assert.equal(await send(agent, 'after'), 'flow/private_then_egress');
  });

  it('stops nobody after a private read that was denied, or after a read of what is not private', async () => {
    const agent = await somebody();
    assert.equal(told(await agent.call('read_text_file', { path: '../private/plan.txt' })).isError, true);
    assert.equal(told(await agent.call('read_text_file', { path: 'public/plan.txt' })).isError, false);
    assert.equal(await send(agent, 'after'), 'sent');
  });

  it('is not forgotten by many calls in between, nor by a private read that is denied later', async () => {
    const agent = await somebody();
    await agent.call('read_text_file', { path: 'private/plan.txt' });
    for (let turn = 0; turn < 30; turn++) await agent.call('read_text_file', { path: `public/${turn}` });
    assert.equal(told(await agent.call('read_text_file', { path: '../private/plan.txt' })).isError, true);
    assert.equal(await send(agent, 'after'), 'flow/private_then_egress');
  });

  it('is the identity’s own: another person is not stopped', async () => {
    assert.equal(await send(await somebody(), 'of somebody else'), 'sent');
  });

  it('outlives a restart, also where the read had not ended', async () => {
    const [reader, waiting] = [await somebody(), await somebody()];
    await reader.call('read_text_file', { path: 'private/plan.txt' });
    const { done, finish } = await startRead(waiting, 'private/plan.txt', ({ response, request }) =>
      answer(response, request.message.id, { content: [] }),
    );
    const restarted = fixture.restart();
    setTimeout(finish, 200);
    await done;
    await restarted;
    for (const agent of [reader, waiting]) {
      agent.session = undefined;
      await agent.open();
      assert.equal(await send(agent, 'after a restart'), 'flow/private_then_egress');
    }
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Approval } from '../../../src/model/approval.ts';
import { sampleSecret } from '../../../src/demo/demo-setup.ts';
import { answer, frame, stream, textResult } from '../../support/recording-upstream.ts';
import { ModernAgent } from '../modern/modern-agent.ts';
import { Listening } from '../transport/listening.ts';
import { startRig, until, type Rig } from '../transport/rig.ts';
import { combining } from './support.ts';

/** Everything is fine, but what a person answers is looked at by somebody else first. */
const policy = combining({
  'test/answers.rego': `package rules.test.answers

allow contains "fine" if input.phase != "result"

require_approval contains {"message": "security reads answers", "groups": ["security"], "expires_s": 600} if {
	input.phase == "call"
	input.target.kind == "elicitation"
}
`,
});
const yes = { action: 'accept', content: { sure: true } };
const form = (message: string): object => ({ message, requestedSchema: { type: 'object', properties: { sure: { type: 'boolean' } } } });

describe('an approval of an answer to a question', { concurrency: false, timeout: 90_000 }, () => {
  const pending = async (rig: Rig): Promise<Approval[]> => {
    const { body } = await rig.gateway.admin('GET', '/approvals');
    return (body as Approval[]).filter(({ state }) => state === 'pending');
  };
  const approve = async (rig: Rig, id: string | undefined): Promise<void> => {
    assert.equal((await rig.gateway.admin('POST', `/approvals/${id ?? ''}/approve`)).body.state, 'approved');
  };

  describe('that an agent with a session gives', () => {
    let rig: Rig;
    before(async () => {
      rig = await startRig({ policy, extra: 'approvals: { wait_ms: 0 }' });
    });
    after(() => rig.close());

    /** A call in whose course the server asks `question`; gives what it was answered, or the words of the refusal. */
    const asked = async (question: object, text = 'x'): Promise<string> => {
      const agent = await rig.agent({ capabilities: { elicitation: {} } });
      const replies = (): object[] => rig.upstream.requests.filter(({ message }) => message.id === 'ask').map(({ message }) => message);
      const before = replies().length;
      rig.upstream.once('tools/call', ({ request, response }) => {
        stream(response).write(frame({ jsonrpc: '2.0', id: 'ask', method: 'elicitation/create', params: question }));
        void until(() => replies().length > before).then(() => {
          const { result, error } = replies().at(-1) as { result?: object; error?: { message: string } };
          response.end(frame(textResult(request.message.id, JSON.stringify(result ?? error?.message))));
        });
      });
      const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { text } } };
      const heard = await Listening.post(agent, body);
      await until(() => heard.messages.length === 1);
      await agent.post({ jsonrpc: '2.0', id: heard.messages[0]?.id, result: yes });
      await until(() => heard.messages.length === 2);
      return heard.messages[1]?.result.content[0].text as string;
    };

    test('holds for the same question of the same call, asked again, and shows both; it is good once', async () => {
      const question = { ...form('Delete the draft?'), _meta: { progressToken: 1 } };
      assert.match(await asked(question), /refused by policy/);
      const [first, ...others] = await pending(rig);
      assert.deepEqual(others, []);
      assert.deepEqual(first?.arguments, { question: { method: 'elicitation/create', params: form('Delete the draft?') }, answer: yes });
      await approve(rig, first.id);
      assert.equal(await asked({ ...question, _meta: { progressToken: 2 } }), JSON.stringify(yes));
      assert.match(await asked(question), /refused by policy/);
    });

    test('does not hold for the same answer to another question, nor to the same question of another call', async () => {
      assert.match(await asked(form('Delete a line?'), 'one'), /refused by policy/);
      const mine = (await pending(rig)).find((one) => JSON.stringify(one.arguments).includes('a line'));
      await approve(rig, mine?.id);
      assert.match(await asked(form('Delete everything?'), 'one'), /refused by policy/);
      assert.match(await asked(form('Delete a line?'), 'another'), /refused by policy/);
      assert.equal((await pending(rig)).filter((one) => JSON.stringify(one.arguments).includes('everything')).length, 1);
      assert.equal(await asked(form('Delete a line?'), 'one'), JSON.stringify(yes));
    });

    test('shows no secret that the question holds', async () => {
      const secret = sampleSecret();
      assert.match(await asked(form(`Use ${secret}?`)), /refused by policy/);
      const shown = JSON.stringify(await pending(rig));
      assert.ok(shown.includes('Use ') && !shown.includes(secret));
    });
  });

  describe('that an agent without one brings back', () => {
    let rig: Rig;
    const kept = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'private' };
    before(async () => {
      rig = await startRig({
        policy,
        extra: 'approvals: { wait_ms: 0 }',
        prepare: (upstream) => {
          upstream.always('server/discover', ({ request, response }) =>
            answer(response, request.message.id, { ...kept, supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }),
          );
          upstream.always('tools/list', ({ request, response }) =>
            answer(response, request.message.id, { ...kept, tools: upstream.tools }),
          );
        },
      });
    });
    after(() => rig.close());

    const asked = async (message: string, text = 'x'): Promise<string> => {
      const agent = await ModernAgent.of(rig);
      rig.upstream.always('tools/call', ({ request, response }) => {
        const { inputResponses } = request.message.params as { inputResponses?: object };
        const done = { resultType: 'complete', content: [{ type: 'text', text: JSON.stringify(inputResponses) }] };
        const inputRequests = { q: { method: 'elicitation/create', params: form(message) } };
        answer(response, request.message.id, inputResponses === undefined ? { resultType: 'input_required', inputRequests } : done);
      });
      const options = { capabilities: { elicitation: {} } };
      const { result } = (await agent.call('echo', { text }, options)).json;
      const again = { name: 'echo', arguments: { text }, requestState: result.requestState, inputResponses: { q: yes } };
      const { json } = await agent.send('tools/call', again, options);
      return json.result.content[0].text as string;
    };

    test('is bound to the question and the call in the same way', async () => {
      assert.match(await asked('Delete the draft?'), /held for approval/);
      const [first] = await pending(rig);
      assert.deepEqual(first?.arguments, { question: { method: 'elicitation/create', params: form('Delete the draft?') }, answer: yes });
      await approve(rig, first.id);
      assert.match(await asked('Delete everything?'), /held for approval/);
      assert.match(await asked('Delete the draft?', 'another'), /held for approval/);
      assert.equal(await asked('Delete the draft?'), JSON.stringify({ q: yes }));
      assert.match(await asked('Delete the draft?'), /held for approval/);
    });
  });
});

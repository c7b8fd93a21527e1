import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { faultDecision, overruled, wordsFor } from '../../src/call/decide.ts';
import { failure, heldAnswer, metaKey, refusal, stamped, withheld } from '../../src/call/reply.ts';
import { whoIsNeeded, type Approval } from '../../src/model/approval.ts';
import type { PolicyFault } from '../../src/model/decision.ts';
import { GatewayError } from '../../src/model/errors.ts';
import type { Digest, ReleaseId } from '../../src/model/ids.ts';
import { alice, callTo, decisionOf, startMs } from './calls.ts';

const call = callTo();
const read = callTo({ method: 'resources/read', target: { kind: 'resource', server: 'files', name: 'x://y' }, tool: undefined });

describe('what an agent is told', () => {
  it('of a refusal: messages and hints of the rules that refused, and nothing of the others', () => {
    const decision = decisionOf({
      reasons: [
        { rule: 'a/b', effect: 'deny', message: 'not this way', hint: 'take the other', severity: 'high', owner: 'somebody' },
        { rule: 'c/d', effect: 'allow', message: 'fine' },
        { rule: 'e/f', effect: 'deny', message: 'nor now' },
      ],
    });
    assert.equal(wordsFor(decision), 'not this way (take the other); nor now');
    assert.equal(wordsFor(decisionOf({ reasons: [] })), 'policy does not allow it');
    const note = {
      id: call.id,
      effect: 'deny',
      reasons: [
        { rule: 'a/b', message: 'not this way', hint: 'take the other' },
        { rule: 'e/f', message: 'nor now' },
      ],
    };
    const words = 'denied by policy: not this way (take the other); nor now';
    assert.deepEqual(refusal(call, decision), {
      result: { content: [{ type: 'text', text: words }], isError: true, _meta: { [metaKey]: note } },
    });
    assert.deepEqual(refusal(read, decision), { error: { code: 4030, message: words, data: { [metaKey]: { ...note, id: read.id } } } });
  });

  it('of a fault: that there was one and of which kind, never what', () => {
    const faults: PolicyFault[] = ['undefined', 'malformed', 'error', 'timeout', 'memory', 'overload', 'no_release'];
    const said = faults.map((fault) => {
      const decision = faultDecision(fault, 'rules/secret.rego:7: canary', 'r' as ReleaseId, 'd' as Digest, 1);
      assert.match(decision.reasons[0]?.message ?? '', /canary/);
      assert.deepEqual([decision.effect, decision.fault], ['deny', fault]);
      const answer = JSON.stringify([refusal(call, decision), refusal(read, decision), withheld(call, decision)]);
      assert.ok(!answer.includes('canary'), answer);
      assert.ok(answer.includes(`gateway/${fault}`));
      assert.match(JSON.stringify(refusal(read, decision)), /"code":4033/);
      return wordsFor(decision);
    });
    assert.equal(new Set(said).size, faults.length);
  });

  it('of a reason that the gateway adds: that reason alone', () => {
    const decision = overruled(decisionOf({ effect: 'allow' }), { rule: 'gateway/x', effect: 'deny', message: 'no' });
    assert.deepEqual([decision.effect, wordsFor(decision)], ['deny', 'no']);
  });

  it('of a call that is held: who is needed, until when, and what to do', () => {
    const term = (rule: string, groups: string[], quorum = 1) => ({ rule, groups, quorum, expires_s: 60, allow_self: false });
    assert.equal(whoIsNeeded({ groups: ['x'], quorum: 1, expires_s: 1 }), 'someone of `x`');
    assert.equal(whoIsNeeded({ groups: ['x', 'y'], quorum: 3, expires_s: 1 }), '3 people of `x` or `y`');
    assert.match(whoIsNeeded({ groups: [], quorum: 1, expires_s: 1 }), /^nobody/);
    const terms = { groups: [], quorum: 2, expires_s: 1, terms: [term('a/b', ['x'], 2), term('c/d', ['y']), term('e/f', ['y'])] };
    assert.equal(whoIsNeeded(terms), '2 people of `x`, and someone of `y`');
    const approval = { id: 'apr_1', state: 'pending', terms, expiresAtMs: startMs } as unknown as Approval;
    const held = decisionOf({
      effect: 'require_approval',
      reasons: [{ rule: 'a/b', effect: 'require_approval', message: 'a human decides' }],
    });
    const answer = heldAnswer(call, held, approval) as { result: { content: { text: string }[]; _meta: Record<string, unknown> } };
    assert.match(
      answer.result.content[0]?.text ?? '',
      /`apr_1` waits for 2 people of `x`, and someone of `y` until 2023-11-14T22:13:20.000Z; once/,
    );
    assert.deepEqual(answer.result._meta[metaKey], {
      id: call.id,
      effect: 'require_approval',
      reasons: [{ rule: 'a/b', message: 'a human decides' }],
      approval: { id: 'apr_1', state: 'pending', expires_at: '2023-11-14T22:13:20.000Z' },
    });
    assert.equal((heldAnswer(read, held, approval) as { error: { code: number } }).error.code, 4035);
  });

  it('of a fault on the way: its words, whether the call may have run, and never its cause', () => {
    const cause = new Error('canary at 10.0.0.1');
    const sent = failure(call, new GatewayError('upstream.timeout', 'no answer', { cause, detail: { may_have_run: true } }));
    assert.deepEqual(sent, {
      result: {
        content: [{ type: 'text', text: 'no answer; it may have executed this call' }],
        isError: true,
        _meta: { [metaKey]: { id: call.id, error: 'upstream.timeout', may_have_run: true } },
      },
    });
    const never = failure(call, new GatewayError('upstream.unreachable', 'not there', { cause }));
    assert.deepEqual((never as { result: { isError: boolean } }).result.isError, true);
    const broken = failure(call, new GatewayError('upstream.unreachable', 'not there', { cause, detail: { may_have_run: true } }));
    assert.equal((broken as { error: { code: number } }).error.code, 5020);
    assert.equal((failure(read, new GatewayError('upstream.protocol', 'odd', { cause })) as { error: { code: number } }).error.code, 5021);
    assert.ok(!JSON.stringify([sent, never, broken]).includes('canary'));
  });

  it('of a result: the decision’s id beside the upstream’s own `_meta`, which cannot take its place', () => {
    const own = { [metaKey]: { id: call.id, effect: 'allow' } };
    assert.deepEqual(stamped({ content: [] }, call, 'allow'), { content: [], _meta: own });
    assert.deepEqual(stamped({ _meta: { a: 1, [metaKey]: 'forged' } }, call, 'allow'), { _meta: { a: 1, ...own } });
    assert.deepEqual(stamped({ _meta: [1] as never }, call, 'allow'), { _meta: own });
    assert.equal(alice.kind, 'user');
  });
});

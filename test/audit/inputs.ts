import type { KeptInput } from '../../src/model/kept-input.ts';
import { TextPart } from '../../src/model/text-part.ts';

const identity = new TextPart(
  '{"issuer":"https://idp.example","subject":"user-1","client":"agent","kind":"user","tenant":"default","groups":["engineering"],"scopes":["mcp:tools"],"claims":{"email":"user-1@example.org"},"on_behalf_of":null,"auth":{"method":"oidc","age_s":',
);
const tool = new TextPart(
  '{"server":"billing","name":"refund","exposed_name":"refund","title":"Refund an invoice","annotations":{"readOnlyHint":false,"destructiveHint":true},"labels":["private","egress"],"definition_digest":"sha256:3b9aca00b5b1d3e5d0d8a4fd05ed4c9c7be9d9a7c9d2b1c80b40a3a7a28c8f5a","pinned":true}',
);
const environment = new TextPart('{"name":"production","labels":{"region":"eu"}}');
const history: TextPart[] = [];
const historyEntries = 20;

/** Text of a history entry, as an earlier call of the same identity left it. */
function entry(index: number): TextPart {
  return new TextPart(
    `{"at":"${new Date(1_795_246_200_000 + index * 977).toISOString()}","method":"tools/call","server":"billing","tool":"refund","labels":["private"],"arguments_digest":"hmac-sha256:${pseudoHex(index)}","effect":"allow","outcome":"ok","same_session":true}`,
  );
}

/** 64 hex digits that do not compress, the same for the same number. */
export function pseudoHex(index: number): string {
  let state = BigInt(index) * 0x9e3779b97f4a7c15n + 0x1234567n;
  let text = '';
  for (let at = 0; at < 4; at++) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    text += (state ^ (state >> 29n)).toString(16).padStart(16, '0').slice(-16);
  }
  return text;
}

/** The input of a call as the gateway keeps it, of usual size: with twenty entries of history, of which the latest is new. */
export function keptInput(index: number): KeptInput {
  history.push(entry(index));
  if (history.length > historyEntries) history.shift();
  const at = new Date(1_795_246_200_000 + index * 977);
  const before = `{"version":1,"phase":"call","at_ns":${at.getTime()}000000,"at":"${at.toISOString()}","request":{"method":"tools/call","id":"call_${index}","endpoint":"support","protocol_version":"2025-11-25","ip":"10.0.0.7","user_agent":"claude-code/2.1"},"identity":`;
  const middle = `${index % 900}}},"target":{"kind":"tool","server":"billing","name":"refund"},"tool":`;
  const subject = `,"arguments":{"invoice":"INV-${pseudoHex(index).slice(0, 12)}","amount":${(index * 7919) % 5000},"reason":"ordered twice, returned one"},"findings":[],"history":[`;
  const pieces: (string | TextPart)[] = [before, identity, middle, tool];
  let json = subject;
  for (const part of history) {
    pieces.push(json, part);
    json = ',';
  }
  pieces.push(
    `],"session":{"labels":["private"],"id":"${pseudoHex(7).slice(0, 22)}","started_at":"2026-11-21T07:00:00.000Z","calls":${index},"denied":0},"usage":{"calls_1m":${index % 60},"calls_1h":${index % 3000},"same_call_1m":0},"approval":null,"environment":`,
    environment,
    '}',
  );
  return { entry: 'gateway/call', pieces };
}

/** The text that an input's pieces make. */
export function textOf({ pieces }: KeptInput): string {
  return pieces.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join('');
}

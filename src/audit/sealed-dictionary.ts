/**
 * What nearly every sealed block says anyway: the compressor refers to it instead of storing it, which makes a block of one input a third
 * of what it would be. Part of the format: a change of one byte is a new format number. The most common texts come last.
 */
const fixedText = [
  '{"detector":"secret.","pointer":"/result/content/0/text","count":1}',
  '{"version":1,"phase":"list","at_ns":17,"at":"2026-","request":{"method":"tools/list","id":"call_',
  '"tools":[{"server":"","name":"","exposed_name":"","title":"","annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false},"labels":[],"definition_digest":"sha256:","pinned":true},',
  '{"version":1,"phase":"message","at_ns":17,"at":"2026-","request":{"method":"notifications/progress","id":"call_',
  '{"issuer":"https://","subject":"","client":"","kind":"user","tenant":"default","groups":[""],"scopes":["mcp:tools"],"claims":{"email":""},"on_behalf_of":null,"auth":',
  '{"name":"production","labels":{}}',
  '{"at":"2026-11-21T10:00:00.000Z","method":"tools/call","server":"","tool":"","labels":["private","untrusted"],"arguments_digest":"hmac-sha256:","effect":"deny","outcome":"denied","same_session":true}',
  '{"at":"2026-11-21T10:00:00.000Z","method":"tools/call","server":"","tool":"","labels":[],"arguments_digest":"hmac-sha256:","effect":"","outcome":"pending","same_session":true}',
  '{"at":"2026-11-21T10:00:00.000Z","method":"tools/call","server":"","tool":"","labels":[],"arguments_digest":"hmac-sha256:","effect":"allow","outcome":"ok","same_session":true}',
  '{"version":1,"phase":"result","at_ns":1795246200123000000,"at":"2026-11-21T10:00:00.000Z","request":{"method":"tools/call","id":"call_019","endpoint":"main","protocol_version":"2025-11-25","ip":"127.0.0.1","user_agent":"node"},"identity":"target":{"kind":"tool","server":"","name":""},"tool":"arguments":{},"findings":[],"history":[],"session":{"labels":[],"id":"","started_at":"2026-11-21T10:00:00.000Z","calls":1,"denied":0},"usage":{"calls_1m":1,"calls_1h":1,"same_call_1m":0},"approval":null,"result":{"content":[{"type":"text","text":""}],"structuredContent":{},"isError":false},"environment":',
  '{"version":1,"phase":"call","at_ns":1795246200123000000,"at":"2026-11-21T10:00:00.000Z","request":{"method":"tools/call","id":"call_019","endpoint":"main","protocol_version":"2025-11-25","trace_id":"","ip":"127.0.0.1","user_agent":"node"},"identity":\x010.0\x02{"method":"oidc","age_s":10}},"target":{"kind":"tool","server":"","name":""},"tool":\x010.1\x02,"arguments":{},"findings":[],"history":[\x012.0\x02,\x012.0\x02,\x012.0\x02],"session":{"labels":[],"id":"","started_at":"2026-11-21T10:00:00.000Z","calls":1,"denied":0},"usage":{"calls_1m":1,"calls_1h":1,"same_call_1m":0},"approval":null,"environment":\x010.2\x02}',
].join('\n');

const bytes = Buffer.from(fixedText);

/** The dictionary of format 1. */
export function blockDictionary(): Uint8Array {
  return bytes;
}

import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/**
 * For each builtin of OPA 1.22 the arguments to call it with, as Rego texts joined by ` ; `. One that begins with `!` has to be undefined: the
 * call fails. One that begins with `=` is a whole expression.
 */
export const builtinCases: Readonly<Record<string, readonly string[]>> = {
  abs: ['-1.5', '-12345678901234567890', '!"x"'],
  and: ['{1, 2} ; {2, 3}', '!{1} ; [1]'],
  'array.concat': ['[1] ; [2, "a"]', '[] ; []', '![1] ; {2}'],
  'array.flatten': ['[1, [2, [3]], []]', '!{1}'],
  'array.reverse': ['[1, 2, "x"]', '[]', '!"abc"'],
  'array.slice': [
    '[1, 2, 3] ; 1 ; 2',
    '[1, 2, 3] ; -1 ; 10',
    '[1, 2, 3] ; 2 ; 1',
    '[1, 2] ; 1.0 ; 9223372036854775807',
    '!"abc" ; 0 ; 1',
    '![1] ; 0.5 ; 1',
  ],
  'base64.decode': ['"YWJj"', '"/+8="', '"YW\\nJj"', '!"YQ"', '!"_-8="', '!1'],
  'base64.encode': ['"abc"', '"é😀"', '!1'],
  'base64.is_valid': ['"YWJj"', '""', '"YQ"', '"%"', '1'],
  'base64url.decode': ['"YWJj"', '"YQ"', '"_-8="', '!"/a"', '!1'],
  'base64url.encode': ['"a>?"', '""', '!1'],
  'base64url.encode_no_pad': ['"a"', '""', '!1'],
  'bits.and': ['6 ; 3', '-1 ; 12345678901234567890', '1.0 ; 1', '!1.5 ; 1'],
  'bits.lsh': ['1 ; 70', '3 ; 1.0', '!1 ; -1'],
  'bits.negate': ['5', '-12345678901234567890', '1.0', '!0.5'],
  'bits.or': ['6 ; 3', '-0 ; 4', '!0.5 ; 1'],
  'bits.rsh': ['12345678901234567890 ; 3', '-5 ; 1', '!1 ; -1'],
  'bits.xor': ['6 ; 3', '-0 ; 4', '!"a" ; 1'],
  ceil: ['1.1', '-1.1', '123456789012345678901', '!"a"'],
  concat: ['"," ; ["b", "a"]', '"," ; {"b", "a", "ü", "z"}', '"" ; []', '!"," ; ["a", 1]', '!1 ; ["a"]'],
  contains: ['"abc" ; "bc"', '"é" ; ""', '!"abc" ; 1'],
  count: ['"é😀"', '{1, 1.0, 2}', '{"a": 1}', '!1'],
  'crypto.hmac.equal': ['"a" ; "a"', '"a" ; "b"', '!1 ; "a"'],
  'crypto.hmac.md5': ['"a" ; "k"', '"" ; ""', '!1 ; "k"'],
  'crypto.hmac.sha1': ['"a" ; "k"', '"" ; ""', '!1 ; "k"'],
  'crypto.hmac.sha256': ['"a" ; "k"', '"" ; ""', '!1 ; "k"'],
  'crypto.hmac.sha512': ['"a" ; "k"', '"" ; ""', '!1 ; "k"'],
  'crypto.md5': ['"a"', '"é"', '!1'],
  'crypto.parse_private_keys': ['$RSA_PEM', '""', '"no key"', '!1'],
  'crypto.sha1': ['"a"', '"é"', '!1'],
  'crypto.sha256': ['"a"', '"é"', '!1'],
  'crypto.x509.parse_and_verify_certificates': ['$CERTIFICATE', '"x"', '!1'],
  'crypto.x509.parse_and_verify_certificates_with_options': [
    '$CERTIFICATE ; {"KeyUsages": ["KeyUsageAny"]}',
    '"x" ; {}',
    '!$CERTIFICATE ; {"KeyUsages": ["Nothing"]}',
  ],
  'crypto.x509.parse_certificate_request': ['$REQUEST', '!"x"'],
  'crypto.x509.parse_certificates': ['$CERTIFICATE', '!"x"'],
  'crypto.x509.parse_keypair': ['!"x" ; "y"', '!1 ; "y"'],
  'crypto.x509.parse_rsa_private_key': ['$RSA_PEM', '!"x"'],
  div: ['7 ; 2', '1 ; 3', '6 ; -3', '!1 ; 0', '!"a" ; 1'],
  endswith: ['"abc" ; "bc"', '"a" ; "b"', '!1 ; "b"'],
  equal: ['1 ; 1.0', '{"a": {1}} ; {"a": {1.0}}', '"a" ; "b"'],
  floor: ['1.9', '-1.1', '123456789012345678901', '!"a"'],
  format_int: ['255 ; 16', '-255 ; 2', '3.7 ; 10', '123456789012345678901 ; 8', '!1 ; 3', '!"a" ; 10'],
  'glob.match': [
    '"*.com" ; ["."] ; "a.com"',
    '"*" ; [] ; "a.b"',
    '"a?c" ; null ; "aéc"',
    '"{a,b}(c" ; null ; "b(c"',
    '!"[" ; [] ; "a"',
    '!1 ; [] ; "a"',
  ],
  'glob.quote_meta': ['"*.a{b}"', '""', '!1'],
  'graph.reachable': ['{"a": ["b"], "b": {"c"}, "c": []} ; ["a"]', '{} ; {"a"}', '!1 ; ["a"]'],
  'graph.reachable_paths': ['{"a": ["c", "b"], "b": {"c"}, "c": []} ; ["a"]', '{} ; {"a"}', '!1 ; ["a"]'],
  'graphql.is_valid': ['"{ a }" ; "type Query { a: Int }"', '"{ b }" ; "type Query { a: Int }"'],
  'graphql.parse': ['"{ a }" ; "type Query { a: Int }"', '!"{" ; "type Query { a: Int }"'],
  'graphql.parse_and_verify': ['"{ a }" ; "type Query { a: Int }"', '"{" ; "type Query { a: Int }"'],
  'graphql.parse_query': ['"{ a(b: 1) { c } }"', '!"{"'],
  'graphql.parse_schema': ['"type Query { a: Int }"', '!"type"'],
  'graphql.schema_is_valid': ['"type Query { a: Int }"', '"type"'],
  gt: ['2 ; 1.5', '"a" ; 1', '9007199254740993 ; 9007199254740992'],
  gte: ['1 ; 1.0', '[1] ; [1, 2]', '{1} ; {"a": 1}'],
  'hex.decode': ['"6162"', '!"6"', '!1'],
  'hex.encode': ['"é"', '""', '!1'],
  indexof: ['"日本" ; "本"', '"😀a" ; "a"', '"a" ; "b"', '!"a" ; ""', '!1 ; "a"'],
  indexof_n: ['"abab" ; "b"', '"a" ; "x"', '!1 ; "a"'],
  'internal.member_2': ['=v(1) in v([1.0, 2])', '=v("x") in v({"a": "x"})', '=v(1) in v("abc")'],
  'internal.member_3': ['=v(0), v("a") in v(["a"])', '=v("k"), v(1) in v({"k": 2})'],
  'internal.template_string': ['=$"{v(1)} {v("x")} {v({"b": 1, "a": {3, 1}})} {v(["é\\u0001"])} {v(null)}"', '=$"{v({}).missing}"', '=$""'],
  intersection: ['{{1, 2}, {2, 3}}', 'set()', '![1]'],
  'io.jwt.decode': ['$HS256', '!"a.b"', '!1'],
  'io.jwt.decode_verify': [
    '$HS256 ; {"secret": "secret"}',
    '$RS256 ; {"cert": $RS256_KEY, "iss": "me"}',
    '$HS256 ; {"secret": "other"}',
    '!$HS256 ; {}',
    '!1 ; {}',
  ],
  is_array: ['[1]', '{1}'],
  is_boolean: ['false', '0'],
  is_null: ['null', 'false'],
  is_number: ['1e3', '"1"'],
  is_object: ['{}', '[]'],
  is_set: ['set()', '[]'],
  is_string: ['""', '1'],
  'json.filter': ['{"a": [{"b": 1, "c": 2}], "d": 3} ; ["a/0/b", "d"]', '{"a": 1} ; {"x"}', '!1 ; ["a"]'],
  'json.is_valid': ['" {\\"a\\": 1} "', '"{"', '"[1] x"', '"1e2147483648"', '1'],
  'json.marshal': ['{"b": {2, 1}, "a": "<&>\\u2028é\\u0001"}', '78.50', '{1: null}', '9007199254740993'],
  'json.marshal_with_options': ['{"b": 1, "a": [2]} ; {"pretty": true}', '1 ; {}', '!1 ; {"nonsense": true}'],
  'json.match_schema': ['{"a": 1} ; {"type": "object"}', '{"a": 1} ; {"type": "array"}', '!1 ; "{"'],
  'json.patch': [
    '{"a": [1]} ; [{"op": "add", "path": "/a/-", "value": 2}]',
    '{"a", "b"} ; [{"op": "remove", "path": "a"}]',
    '!{} ; [{"op": "remove", "path": "/x"}]',
  ],
  'json.remove': ['{"a": [1, 2, 3], "b": 1} ; ["a/1", "b"]', '{"a": 1} ; []', '!1 ; ["a"]'],
  'json.unmarshal': [
    '"{\\"a\\": 1, \\"a\\": 2}"',
    '"9007199254740993"',
    '"[\\"\\\\ud800\\"]"',
    '!"{"',
    '!"[1] x"',
    '!"{\\"a\\": 1e2147483648}"',
    '!1',
  ],
  'json.verify_schema': ['{"type": "object"}', '{"type": "nonsense"}'],
  lower: ['"ÀİẞK"', '""', '!1'],
  lt: ['1 ; 2', 'null ; false', '"a" ; "ä"'],
  lte: ['1.0 ; 1', '[2] ; [1, 5]', '{"b": 1} ; {"a": 2}'],
  max: ['[1, 12345678901234567890, 3]', '{"a", "ä", 5}', '![]', '!1'],
  min: ['[3, -1.5, "a"]', '{[1], {2}}', '![]', '!1'],
  minus: ['5 ; 7', '{1, 2, "a"} ; {2}', '0.3 ; 0.1', '12345678901234567890 ; 0.5', '!"a" ; 1', '!{1} ; 1'],
  mul: ['123456789012 ; 1000000007', '0.1 ; 3', '1e20 ; 0.5', '!"a" ; 2'],
  neq: ['1 ; 1.0', '{1} ; {2}', 'null ; false'],
  'net.cidr_contains': [
    '"10.0.0.0/8" ; "10.1.2.3"',
    '"10.0.0.0/8" ; "::ffff:10.1.1.1"',
    '"fe80::/10" ; "fe81::/64"',
    '!"x" ; "10.0.0.1"',
    '!1 ; "10.0.0.1"',
  ],
  'net.cidr_contains_matches': ['["10.0.0.0/8", "1.1.1.0/24"] ; {"10.1.1.1"}', '{"a": "10.0.0.0/8"} ; "10.0.0.0/30"', '!"x" ; "10.0.0.1"'],
  'net.cidr_expand': ['"10.0.0.0/30"', '"::/126"', '!"x"'],
  'net.cidr_intersects': ['"10.0.0.0/8" ; "10.1.0.0/16"', '"10.0.0.0/8" ; "::ffff:0:0/96"', '!"x" ; "y"'],
  'net.cidr_is_valid': ['"10.0.0.0/8"', '"10.0.0.0/33"', '1'],
  'net.cidr_merge': ['["10.0.0.0/25", "10.0.0.128/25", "1.1.1.1"]', '{"::/1", "8000::/1"}', '!["x"]'],
  'numbers.range': ['1 ; 3', '3 ; 1', '1.0 ; 2', '!1 ; 2.5', '!"a" ; 1'],
  'numbers.range_step': ['1 ; 9 ; 3', '9 ; 1 ; 3', '!1 ; 9 ; 0'],
  'object.filter': ['{"a": 1, "b": 2} ; ["b", "x"]', '{"a": 1} ; {"a": null}', '!1 ; ["a"]'],
  'object.get': ['{"a": {"b": 1}} ; ["a", "b"] ; 0', '{1: "x"} ; 1.0 ; "d"', '{"a": 1} ; ["a", "b"] ; "d"', '!1 ; "a" ; 2'],
  'object.keys': ['{"b": 1, "a": 2, 3: 4}', '{}', '!1'],
  'object.remove': ['{"a": 1, "b": 2} ; ["b", "x"]', '{"a": 1} ; {"a": null}', '!1 ; ["a"]'],
  'object.subset': ['{"a": {"b": 1, "c": 2}} ; {"a": {"b": 1}}', '[1, 2, 3] ; [2, 3]', '[1, 2] ; {3}', '!1 ; {1}'],
  'object.union': ['{"a": {"b": 1}} ; {"a": {"c": 2}}', '{"a": 1} ; {"a": {}}', '!1 ; {}'],
  'object.union_n': ['[{"a": 1}, {"b": 2}, {"a": 3}]', '[]', '![1]'],
  or: ['{1, 2} ; {2, 3}', '!{1} ; [1]'],
  plus: ['2 ; 3', '0.1 ; 0.2', '9223372036854775807 ; 1', '9223372036854775807 ; -2.5', '1.0 ; 1', '!"a" ; 1'],
  product: ['[2, 3.5]', '{123456789012, 1000000007}', '[]', '!["a"]'],
  'providers.aws.sign_req': [
    '{"method": "get", "url": "https://example.com/a"} ; {"aws_access_key": "k", "aws_secret_access_key": "s", "aws_service": "s3", "aws_region": "us-east-1"} ; 1440000000000000000',
    '!{} ; {} ; 1',
  ],
  'regex.find_all_string_submatch_n': ['"a(b)?" ; "abac" ; -1', '"x" ; "abc" ; 1', '"a" ; "aaa" ; 1.0', '!"(" ; "a" ; 1'],
  'regex.find_n': ['"[a-z]" ; "a1b2" ; -1', '"x" ; "abc" ; 1', '!"(" ; "a" ; 1'],
  'regex.globs_match': ['"a.*" ; "a.b"', '"a" ; "b"', '!"[" ; "a"'],
  'regex.is_valid': ['"a.*"', '"("', '1'],
  'regex.match': ['"(?i)^É\\\\p{L}+$" ; "éa"', '"\\\\bfoo\\\\b" ; "a foo b"', '"a" ; "b"', '!"(" ; "a"', '!1 ; "a"'],
  'regex.replace': ['"a1b2" ; "[0-9]" ; "<$0>"', '"a" ; "b" ; ""', '!"a" ; "(" ; "b"'],
  'regex.split': ['"[[:digit:]]+" ; "a1b22c"', '"" ; "ab"', '!"(" ; "a"'],
  'regex.template_match': ['"urn:{.*}" ; "urn:abc" ; "{" ; "}"', '"a" ; "b" ; "{" ; "}"', '!"urn:{" ; "a" ; "{" ; "}"'],
  'rego.metadata.chain': ['=rego.metadata.chain()[0].annotations.title', '=count(rego.metadata.chain())'],
  'rego.metadata.rule': ['=rego.metadata.rule()', '=rego.metadata.rule().title'],
  'rego.parse_module': ['"a.rego" ; "package a"', '!"a.rego" ; "x"'],
  rem: ['-7 ; 3', '12345678901234567890 ; 7', '!1 ; 0', '!1.5 ; 1'],
  replace: ['"aaa" ; "a" ; "bb"', '"ab" ; "" ; "-"', '"é😀" ; "😀" ; ""', '!1 ; "a" ; "b"'],
  round: ['2.5', '-2.5', '1e20', '!"a"'],
  'semver.compare': ['"1.2.3" ; "1.10.0"', '"1.0.0-a" ; "1.0.0"', '!"x" ; "1.0.0"'],
  'semver.is_valid': ['"1.2.3"', '"v1"', '1'],
  sort: ['[3, "a", null, 1.5, {1}, [1], {"a": 1}, true]', '{"b", "ä", "a"}', '!1'],
  split: ['"a,b,,c" ; ","', '"é😀" ; ""', '!1 ; ","'],
  sprintf: [
    '"%v %q %d %5.2f %x %%" ; [{"b": {1}, "a": null}, "x", 12345678901234567890, 1.5, 255]',
    '"%d" ; ["a"]',
    '"%s" ; []',
    '!1 ; []',
  ],
  startswith: ['"abc" ; "ab"', '"a" ; "b"', '!1 ; "a"'],
  'strings.any_prefix_match': ['"abc" ; ["x", "ab"]', '{"a"} ; "b"', '!1 ; "a"'],
  'strings.any_suffix_match': ['"abc" ; ["x", "bc"]', '{"a"} ; "b"', '!1 ; "a"'],
  'strings.count': ['"cheese" ; "e"', '"é" ; ""', '!1 ; "a"'],
  'strings.render_template': ['"{{.a}} {{range .b}}{{.}};{{end}}" ; {"a": 1, "b": ["x", "y"]}', '!"{{" ; {}'],
  'strings.replace_n': ['{"<": "&lt;", "a": "b"} ; "<a>"', '{} ; "x"', '!{"a": 1} ; "a"'],
  'strings.reverse': ['"é😀a"', '""', '!1'],
  'strings.split_n': ['"a,b,c" ; "," ; 2', '"" ; "," ; -1', '!1 ; "," ; 2'],
  substring: ['"日本語" ; 1 ; 1', '"abc" ; 1 ; -1', '"abc" ; 9 ; 1', '"abc" ; 1.0 ; 1', '!"abc" ; -1 ; 1', '!1 ; 0 ; 1'],
  sum: ['[1, 2.5]', '{0.1, 0.2}', '[9007199254740993, 1]', '[]', '!["a"]'],
  'time.add_date': ['1700000000000000000 ; 1 ; 2 ; 3', '0 ; 0 ; 0 ; -1', '!"a" ; 1 ; 1 ; 1'],
  'time.clock': ['1700000000123456789', '[1700000000123456789, "America/New_York"]', '![1, "Nowhere"]'],
  'time.date': ['1700000000123456789', '[1700000000123456789, "Asia/Tokyo"]', '!"a"'],
  'time.diff': ['1700000000000000000 ; 1600000000000000000', '0 ; [1, "UTC"]', '!"a" ; 1'],
  'time.format': ['1700000000123456789', '[1700000000123456789, "Europe/Berlin", "RFC1123"]', '!"a"'],
  'time.now_ns': ['=time.now_ns()', '=time.now_ns() == time.now_ns()'],
  'time.parse_duration_ns': ['"1h2m3.5s"', '!"x"'],
  'time.parse_ns': ['"2006-01-02" ; "2026-11-21"', '!"2006-01-02" ; "x"'],
  'time.parse_rfc3339_ns': ['"2026-11-21T07:30:00.123456789+02:00"', '!"x"', '!"9999-01-01T00:00:00Z"'],
  'time.weekday': ['1700000000123456789', '[1700000000123456789, "Asia/Tokyo"]', '!"a"'],
  to_number: ['"1.50"', '"-7"', 'true', 'null', '77.0', '!"0x10"', '!"x"', '![1]'],
  trace: ['"a note"', '!1'],
  trim: ['"xxaxyx" ; "xy"', '"日a日" ; "日"', '!1 ; "a"'],
  trim_left: ['"xxax" ; "x"', '"" ; ""', '!1 ; "a"'],
  trim_prefix: ['"abc" ; "ab"', '"abc" ; "x"', '!1 ; "a"'],
  trim_right: ['"axx" ; "x"', '"" ; ""', '!1 ; "a"'],
  trim_space: ['"\\u00a0 a\\u2003\\n"', '""', '!1'],
  trim_suffix: ['"abc" ; "bc"', '"abc" ; "x"', '!1 ; "a"'],
  type_name: ['set()', '1.5', 'null'],
  union: ['{{1, 2}, {2, 3}}', 'set()', '!{1}'],
  'units.parse': ['"10Mi"', '"1.5k"', '!"x"'],
  'units.parse_bytes': ['"10MiB"', '"1.5k"', '!"x"'],
  upper: ['"àßǆ"', '""', '!1'],
  'uri.is_valid': ['"https://a.example/b?c#d"', '"%zz"', '1'],
  'uri.parse': ['"https://u:p@a.example:8/b?c=1#d"', '!"%zz"'],
  'urlquery.decode': ['"a%20b+c"', '!"%zz"'],
  'urlquery.decode_object': ['"a=1&b=2&a=3"', '!"%zz=1"'],
  'urlquery.encode': ['"a b&é"', '!1'],
  'urlquery.encode_object': ['{"b": "2", "a": ["x", "y"], "c": {"z", "w"}}', '!{"a": 1}'],
  'uuid.parse': ['"00000000-0000-4000-8000-000000000001"', '!"x"'],
  walk: ['=[x | walk(v({"b": [1, {2}], "a": "c"}), x)]', '=[p | walk(v([[1]]), [p, 1])]', '=[x | walk(v(1), x)]'],
  'yaml.is_valid': ['"a: 1"', '"a: ["', '1'],
  'yaml.marshal': ['{"t": "yes", "n": 012, "l": [1.0, null]}', '"x: y"'].map((text) => text.replace('012', '12')),
  'yaml.unmarshal': ['"012"', '"a: yes\\nb: [1, 0x10, ~]"', '!"a: ["'],
  ...Object.fromEntries(
    ['hs256', 'hs384', 'hs512'].map((name) => [
      `io.jwt.verify_${name}`,
      [`$${name.toUpperCase()} ; "secret"`, `$${name.toUpperCase()} ; "other"`, '!"x" ; "secret"'],
    ]),
  ),
  ...Object.fromEntries(
    ['rs256', 'rs384', 'rs512', 'ps256', 'ps384', 'ps512', 'es256', 'es384', 'es512', 'eddsa'].map((name) => [
      `io.jwt.verify_${name}`,
      [`$${name.toUpperCase()} ; $${name.toUpperCase()}_KEY`, `$OTHER ; $${name.toUpperCase()}_KEY`, `!$${name.toUpperCase()} ; "x"`],
    ]),
  ),
};

/** What cases name with `$NAME`, as Rego strings: tokens of each algorithm with the key that verifies them, and documents of X.509. */
export function caseTexts(): ReadonlyMap<string, string> {
  const texts = new Map(Object.entries(documents).map(([name, text]) => [name, JSON.stringify(text)]));
  const put = (name: string, alg: string, signature: (data: Buffer) => Buffer, key?: KeyObject): void => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = `${part({ alg, typ: 'JWT' })}.${part({ iss: 'me', exp: 4_000_000_000 })}`;
    texts.set(name, JSON.stringify(`${head}.${signature(Buffer.from(head)).toString('base64url')}`));
    if (key !== undefined) texts.set(`${name}_KEY`, JSON.stringify(key.export({ type: 'spki', format: 'pem' })));
  };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const bits of ['256', '384', '512']) {
    const hash = `sha${bits}`;
    put(`HS${bits}`, `HS${bits}`, (data) => createHmac(hash, 'secret').update(data).digest());
    put(`RS${bits}`, `RS${bits}`, (data) => sign(hash, data, rsa.privateKey), rsa.publicKey);
    const pss = { key: rsa.privateKey, padding: 6, saltLength: Number(bits) / 8 };
    put(`PS${bits}`, `PS${bits}`, (data) => sign(hash, data, pss), rsa.publicKey);
    const curve = generateKeyPairSync('ec', { namedCurve: { '256': 'P-256', '384': 'P-384', '512': 'P-521' }[bits] ?? '' });
    put(`ES${bits}`, `ES${bits}`, (data) => sign(hash, data, { key: curve.privateKey, dsaEncoding: 'ieee-p1363' }), curve.publicKey);
  }
  const edwards = generateKeyPairSync('ed25519');
  put('EDDSA', 'EdDSA', (data) => sign(null, data, edwards.privateKey), edwards.publicKey);
  put('OTHER', 'HS256', (data) => createHmac('sha256', 'another').update(data).digest());
  texts.set('RSA_PEM', JSON.stringify(rsa.privateKey.export({ type: 'pkcs1', format: 'pem' })));
  return texts;
}

const documents = {
  CERTIFICATE: `-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUWJuu0llXWU+uSP/3EeniGd/QmJIwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMTI5MTVaGA8yMTI2MTAyODExMjkx
NVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB/q
kgGjyvTxd7tAbWDOs/YzNgz3Ts+hWlRRBQlZVkiBW5uJKTFVf/YqDPT244Y+Fgse
oasbfwG9WTQxD9woyCqjUzBRMB0GA1UdDgQWBBTD2llUKI5WJPb9LhfUjIXyxH17
zTAfBgNVHSMEGDAWgBTD2llUKI5WJPb9LhfUjIXyxH17zTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQC4wSeaYOMUqptbNjJ/+PoqRYMTW6bnXALK
gNTG4TR+cQIhAIEeonMqg2vopI6MR++wxxATuBAvgDiKFcnmLppX7EVG
-----END CERTIFICATE-----
`,
  REQUEST: `-----BEGIN CERTIFICATE REQUEST-----
MIHJMHECAQAwDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABB/qkgGjyvTxd7tAbWDOs/YzNgz3Ts+hWlRRBQlZVkiBW5uJKTFVf/YqDPT2
44Y+FgseoasbfwG9WTQxD9woyCqgADAKBggqhkjOPQQDAgNIADBFAiEA/+i+AyjO
dKikuNXBhxIpanWScL2GHijXjGeK2b9Xg48CIE7JsWEGSNm7UQGLG/tVDzn+Egvn
0rWDQnKYOPo3UmKG
-----END CERTIFICATE REQUEST-----
`,
};

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestHead } from '../http1/request-head.ts';
import { ClientIdentity } from './client-identity.ts';
import { type ForwardedForm, trustedMatcher } from './client-report.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const isTrusted = trustedMatcher(['10.0.0.0/8', '192.168.1.1', 'fd00::/8']);
const FRONT = '10.0.0.1';
const UNTRUSTED = '9.9.9.9';

test('ranges and addresses match, for IPv4 and IPv6', () => {
  for (const address of ['10.1.2.3', '192.168.1.1', 'fd00::1']) assert.ok(isTrusted(address), address);
  for (const address of ['11.0.0.1', '192.168.1.2', '::1', '', 'x']) assert.ok(!isTrusted(address), address);
  assert.equal(trustedMatcher([])('127.0.0.1'), false);
});

test('an invalid address or range is named in the error', () => {
  for (const bad of ['x', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/8x', '10.0.0/8', ''])
    assert.throws(() => trustedMatcher([bad]), RangeError, bad);
});

/** The identity after a request with these field lines from `peer` over plain HTTP. */
function identity(lines: readonly string[], { peer = FRONT, form = 'x-forwarded' as ForwardedForm, prefix = '' } = {}) {
  const head = new RequestHead();
  const one = new ClientIdentity(peer, 'http', head, { isTrusted, viaName: 'us', forwardedForm: form });
  const text = ['GET / HTTP/1.1', 'Host: shop.example', ...lines].join('\r\n');
  assert.equal(head.read(Buffer.from(`${text}\r\n\r\n`), 0, text.length, DEFAULT_LIMITS), undefined);
  one.onHead();
  return {
    client: `${one.clientAddress()} ${head.isSecure ? 'https' : 'http'}`,
    fields: one.requestFields('shop.example', prefix),
    authority: one.publicAuthority(),
  };
}

/** Values of the fields that name the client, as the node gets them. */
function sent(fields: string): string {
  const lines = fields.split('\r\n').filter((line) => /^(x-forwarded|forwarded|x-real)/i.test(line));
  return lines.join(' | ').replaceAll('X-Forwarded-', 'XF-');
}

test('the client is the last sender that is no trusted proxy, or the last one that can be read', () => {
  const table: readonly (readonly [lines: readonly string[], client: string])[] = [
    [[], '10.0.0.1 http'],
    [['X-Forwarded-For: 8.8.8.8'], '8.8.8.8 http'],
    [['X-Forwarded-For: 6.6.6.6, 8.8.8.8'], '8.8.8.8 http'],
    [['x-forwarded-FOR: 6.6.6.6, 8.8.8.8, 10.0.0.2'], '8.8.8.8 http'],
    [['X-Forwarded-For: 10.0.0.3, 10.0.0.2'], '10.0.0.3 http'],
    [['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 8.8.8.8', 'X-Forwarded-For: 10.0.0.2'], '8.8.8.8 http'],
    [['X-Forwarded-For: 8.8.8.8:53124'], '8.8.8.8 http'],
    [['X-Forwarded-For: 8.8.8.8:53124, 10.0.0.2:80'], '8.8.8.8 http'],
    [['X-Forwarded-For: [2001:db8::1]:53124'], '2001:db8::1 http'],
    [['X-Forwarded-For: 8.8.8.8, [fd00::2], ::ffff:10.0.0.2'], '8.8.8.8 http'],
    [['X-Forwarded-For:  ,8.8.8.8 ,, 10.0.0.2\t,'], '8.8.8.8 http'],
    [['X-Forwarded-For: 6.6.6.6, unknown'], '10.0.0.1 http'],
    [['X-Forwarded-For: 6.6.6.6, _hidden, 10.0.0.2'], '10.0.0.2 http'],
    [['X-Forwarded-For: 6.6.6.6, 8.8.8.8x, 10.0.0.2:1'], '10.0.0.2 http'],
    [[`X-Forwarded-For: 6.6.6.6${', 10.0.0.2'.repeat(40)}`], '10.0.0.2 http'],
    [['X-Forwarded-Proto: https'], '10.0.0.1 https'],
    [['X-Forwarded-Proto: WSS', 'X-Forwarded-For: 8.8.8.8'], '8.8.8.8 https'],
    [['X-Forwarded-Proto: http, https'], '10.0.0.1 https'],
    [['X-Forwarded-Proto: https, http', 'X-Forwarded-For: 8.8.8.8'], '8.8.8.8 http'],
    [['X-Forwarded-Proto: https', 'X-Forwarded-Proto: http'], '10.0.0.1 http'],
    [['X-Forwarded-Proto: https,,'], '10.0.0.1 https'],
    [['X-Forwarded-Proto: http/2'], '10.0.0.1 http'],
    // As many schemes as addresses: each belongs to one.
    [['X-Forwarded-Proto: https, http', 'X-Forwarded-For: 8.8.8.8, 10.0.0.2'], '8.8.8.8 https'],
    [['X-Forwarded-Proto: https, http, https', 'X-Forwarded-For: 6.6.6.6, 8.8.8.8, 10.0.0.2'], '8.8.8.8 http'],
    [['X-Forwarded-Proto: https', 'X-Forwarded-For: unknown'], '10.0.0.1 https'],
    [['Forwarded: for=8.8.8.8;proto=https'], '8.8.8.8 https'],
    [['Forwarded: for=6.6.6.6;proto=http, for="8.8.8.8:99";proto=https, for=10.0.0.2;proto=http'], '8.8.8.8 https'],
    [['Forwarded: for=6.6.6.6', 'Forwarded: For="[2001:DB8::1]:99"'], '2001:db8::1 http'],
    [['Forwarded: for=6.6.6.6, for=unknown;proto=https'], '10.0.0.1 https'],
    [['Forwarded: for="6.6.6.6, for=8.8.8.8;proto=https'], '10.0.0.1 http'],
    [['Forwarded: proto=https;by=_front'], '10.0.0.1 https'],
    // The field that the front does not write comes from the client.
    [['Forwarded: for=6.6.6.6;proto=https', 'X-Forwarded-For: 8.8.8.8'], '8.8.8.8 http'],
    [['Forwarded: for=6.6.6.6', 'X-Forwarded-Proto: https'], '10.0.0.1 https'],
    [
      ['Connection: x-forwarded-proto, forwarded', 'X-Forwarded-Proto: https', 'Forwarded: proto=https'],
      '10.0.0.1 http',
    ],
  ];
  for (const [lines, client] of table) assert.equal(identity(lines).client, client, lines.join('\n'));
  for (const [lines] of table)
    assert.equal(identity(lines, { peer: UNTRUSTED }).client, '9.9.9.9 http', lines.join('\n'));
});

test('with rfc7239 Forwarded is read first, and X-Forwarded-* where it is absent', () => {
  const table: readonly (readonly [lines: readonly string[], client: string])[] = [
    [['Forwarded: for=8.8.8.8;proto=https', 'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Proto: http'], '8.8.8.8 https'],
    [['Forwarded: by=_x', 'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Proto: https'], '10.0.0.1 http'],
    [['X-Forwarded-For: 8.8.8.8', 'X-Forwarded-Proto: https'], '8.8.8.8 https'],
    [[], '10.0.0.1 http'],
  ];
  for (const [lines, client] of table)
    assert.equal(identity(lines, { form: 'rfc7239' }).client, client, lines.join('\n'));
});

const ALL_LINES = [
  'X-Forwarded-For: 6.6.6.6, 8.8.8.8:1',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: www.example',
  'X-Forwarded-Port: 443',
  'X-Real-IP: 8.8.8.8',
  'Forwarded: for=5.5.5.5;proto=http;host=evil.example',
];
const X_LINES = ALL_LINES.slice(0, -1);

test('nodes get the fields of the form, from the source that counts', () => {
  const table: readonly (readonly [form: ForwardedForm, lines: readonly string[], fields: string])[] = [
    [
      'x-forwarded',
      ALL_LINES,
      'XF-For: 6.6.6.6, 8.8.8.8:1, 10.0.0.1 | XF-Host: www.example | XF-Port: 443 | X-Real-IP: 8.8.8.8 | XF-Proto: https',
    ],
    [
      'x-forwarded',
      ['Forwarded: for=6.6.6.6, for="8.8.8.8:1";proto=https;host=www.example, for=10.0.0.2', 'X-Forwarded-Port: 99'],
      'XF-For: 8.8.8.8, 10.0.0.2, 10.0.0.1 | XF-Proto: https | XF-Host: www.example',
    ],
    ['x-forwarded', ['Forwarded: for=unknown;host="a b"'], 'XF-For: 10.0.0.1 | XF-Proto: http | XF-Host: shop.example'],
    ['x-forwarded', [], 'XF-For: 10.0.0.1 | XF-Proto: http | XF-Host: shop.example'],
    ['x-forwarded', ['X-Forwarded-Host: a, b'], 'XF-For: 10.0.0.1 | XF-Host: a, b | XF-Proto: http'],
    [
      'rfc7239',
      ALL_LINES,
      'Forwarded: for=5.5.5.5;proto=http;host=evil.example, for=10.0.0.1;host=shop.example;proto=http',
    ],
    [
      'rfc7239',
      X_LINES,
      'Forwarded: for=8.8.8.8;host=www.example;proto=https, for=10.0.0.1;host=shop.example;proto=http',
    ],
    [
      'rfc7239',
      ['Forwarded: for="a', 'Forwarded: for=b'],
      'Forwarded: for=b, for=10.0.0.1;host=shop.example;proto=http',
    ],
    ['rfc7239', [], 'Forwarded: for=10.0.0.1;host=shop.example;proto=http'],
    [
      'both',
      ALL_LINES,
      'XF-For: 6.6.6.6, 8.8.8.8:1, 10.0.0.1 | XF-Host: www.example | XF-Port: 443 | X-Real-IP: 8.8.8.8 | XF-Proto: https | ' +
        'Forwarded: for=8.8.8.8;host=www.example;proto=https, for=10.0.0.1;host=shop.example;proto=http',
    ],
    [
      'both',
      ['Forwarded: for="[2001:db8::1]";by=_x'],
      'XF-For: 2001:db8::1, 10.0.0.1 | XF-Proto: http | XF-Host: shop.example | ' +
        'Forwarded: for="[2001:db8::1]";by=_x, for=10.0.0.1;host=shop.example;proto=http',
    ],
  ];
  for (const [form, lines, fields] of table)
    assert.equal(sent(identity(lines, { form }).fields), fields, `${form}\n${lines.join('\n')}`);
});

test('both forms name one scheme and one host, whichever part the front reports', () => {
  const elements = [
    'proto=https',
    'host=www.example',
    'for=unknown;host=www.example;proto=https',
    'for=8.8.8.8;proto=https',
  ];
  const xLines = [
    'X-Forwarded-For: 8.8.8.8',
    'X-Forwarded-For: unknown',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: www.example',
  ];
  const subsets = Array.from({ length: 2 ** xLines.length }, (_, bits) => xLines.filter((_line, i) => (bits >> i) & 1));
  for (const lines of [...elements.map((element) => [`Forwarded: ${element}`]), ...subsets]) {
    const fields = sent(identity(lines, { form: 'both' }).fields);
    const of = (field: string): string => new RegExp(`${field}: ([^|]*?)(?: \\||$)`).exec(fields)?.[1] ?? '';
    // As programs read them: the first element that has the parameter.
    const first = (parameter: string): string =>
      new RegExp(`[ ;]${parameter}=([^;,]+)`).exec(` ${of('Forwarded')}`)?.[1] ?? '';
    assert.deepEqual(
      [first('proto'), first('host')],
      [of('XF-Proto'), of('XF-Host')],
      `${lines.join('\n')}\n${fields}`,
    );
  }
});

test('nodes get no field that an untrusted peer has sent', () => {
  const x = 'XF-For: 9.9.9.9 | XF-Proto: http | XF-Host: shop.example';
  const rfc = 'Forwarded: for=9.9.9.9;host=shop.example;proto=http';
  const forms = { 'x-forwarded': x, rfc7239: rfc, both: `${x} | ${rfc}` } as const;
  for (const form of Object.keys(forms) as ForwardedForm[])
    assert.equal(sent(identity(ALL_LINES, { peer: UNTRUSTED, form }).fields), forms[form]);
});

/** Fields by which programs and login proxies name scheme, user or certificate of the client. */
const CLAIMS = ['X-Forwarded-Ssl: on', 'x-forwarded-scheme: https', 'X-FORWARDED-User: root', 'Front-End-Https: on'];

test('other claims about the client reach a node from trusted peers only, unchanged', () => {
  const others = ['X-Forwarder: a', 'X-Forward: b', 'X-Forwarde: c', 'Y-Forwarded-User: d'];
  const cgi = ['X_Forwarded_User: root', 'x_forwarded_for: 1.1.1.1', 'X_Forwarded: 1'];
  for (const peer of [FRONT, UNTRUSTED]) {
    const { fields } = identity([...CLAIMS, ...others, ...cgi], { peer });
    const lines = fields.split('\r\n');
    for (const line of CLAIMS) assert.equal(lines.includes(line), peer === FRONT, `${line} from ${peer}`);
    for (const line of others) assert.ok(lines.includes(line), line);
    assert.doesNotMatch(fields, /x_forwarded/i);
  }
});

test('the public authority is that of the request, or the one that a trusted peer reports', () => {
  const own = 'shop.example';
  for (const [lines, reported] of [
    [[], own],
    [['X-Forwarded-Host: a.example:8443'], 'a.example:8443'],
    [['X-Forwarded-Host: a.example, b.example'], 'a.example'],
    [['X-Forwarded-Host: a.example', 'X-Forwarded-Port: 8080'], 'a.example:8080'],
    [['X-Forwarded-Host: a.example', 'X-Forwarded-Port: 443', 'X-Forwarded-Proto: https'], 'a.example'],
    [['X-Forwarded-Host: a.example', 'X-Forwarded-Port: x'], 'a.example'],
    [['X-Forwarded-Host: [::1]', 'X-Forwarded-Port: 8080'], '[::1]:8080'],
    [['X-Forwarded-Host: evil/path'], own],
    [['Forwarded: for=1.1.1.1;host=f.example;proto=https'], 'f.example'],
    [['Forwarded: for=1.1.1.1;host="f/x"'], own],
  ] as const) {
    assert.equal(identity(lines).authority, reported, lines.join());
    assert.equal(identity(lines, { peer: UNTRUSTED }).authority, own, lines.join());
  }
});

test('a connection of a trusted proxy has another client with each request', () => {
  const head = new RequestHead();
  const one = new ClientIdentity(FRONT, 'http', head, { isTrusted, viaName: 'us', forwardedForm: 'x-forwarded' });
  const seen = ['8.8.8.8', '8.8.4.4', '8.8.4.4', ''].map((address) => {
    const text = `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}`;
    assert.equal(head.read(Buffer.from(`${text}\r\n\r\n`), 0, text.length, DEFAULT_LIMITS), undefined);
    one.onHead();
    return one.clientAddress();
  });
  assert.deepEqual(seen, ['8.8.8.8', '8.8.4.4', '8.8.4.4', '10.0.0.1']);
});

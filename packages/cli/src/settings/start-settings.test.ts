import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { settingOptions, startSettings } from './start-settings.ts';

/** The settings of `up` with these arguments and variables. */
function settings(
  t: TestContext,
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): unknown[] {
  for (const [name, value] of Object.entries(variables)) {
    process.env[name] = value;
    t.after(() => delete process.env[name]);
  }
  const command = new Command('up').exitOverride();
  for (const option of settingOptions()) command.addOption(option);
  command.parse([...words], { from: 'user' });
  return startSettings(command, undefined, 'rollcall.json').map(({ source, patch }) => [source, patch]);
}

test('a switch in the environment can be on or off', (t) => {
  assert.deepEqual(settings(t, [], { ROLLCALL_NOFAILOVER: '0', ROLLCALL_ASSIGN: 'on' }), [
    ['environment', { assign: true }],
    ['environment', { sticky: { failover: 'any' } }],
  ]);
  assert.throws(() => settings(t, [], { ROLLCALL_ASSIGN: 'perhaps' }), /--assign "perhaps": write on or off/);
});

test('each switch is on without a value, and takes the values of its help', (t) => {
  const switches: readonly (readonly [flag: string, patch: (isOn: boolean) => object])[] = [
    ['--assign', (assign) => ({ assign })],
    ['--nofailover', (isOn) => ({ sticky: { failover: isOn ? 'none' : 'any' } })],
    ['--movable', (movable) => ({ sticky: { movable } })],
    ['--route-cookie-partitioned', (partitioned) => ({ sticky: { routeCookie: { partitioned } } })],
  ];
  for (const [flag, patch] of switches) {
    // Alone, partitioned is refused without Secure.
    const rest = ['--route-cookie-secure', 'always'];
    const others = settings(t, rest);
    const read = (...words: string[]) =>
      settings(t, [...words, ...rest]).filter(
        (one) => !others.some((other) => JSON.stringify(other) === JSON.stringify(one)),
      );
    assert.deepEqual(read(flag), [['flag', patch(true)]], flag);
    for (const isOn of [true, false])
      for (const text of isOn ? ['true', 'on'] : ['false', 'off']) {
        assert.deepEqual(read(flag, text), [['flag', patch(isOn)]], `${flag} ${text}`);
        assert.deepEqual(read(`${flag}=${text}`), [['flag', patch(isOn)]], `${flag}=${text}`);
      }
    assert.throws(() => read(flag, 'perhaps'), new RegExp(`${flag} "perhaps": write on or off`));
  }
});

test('settings of Rollcall override their Apache spelling', (t) => {
  assert.deepEqual(
    settings(t, ['--sticky', 'insert', '--stickysession', '_s|_t', '--failover', 'group', '--nofailover']),
    [
      ['flag', { sticky: { mode: 'suffix', cookies: ['_s'], parameters: ['_t'] } }],
      ['flag', { sticky: { failover: 'none' } }],
      ['flag', { sticky: { mode: 'insert' } }],
      ['flag', { sticky: { failover: 'group' } }],
    ],
  );
});

test('text in place of the object of session settings is refused with an example', () => {
  const command = new Command('up').exitOverride();
  for (const option of settingOptions()) command.addOption(option);
  assert.throws(() => startSettings(command, { shop: { sticky: 'inert' } }, 'rollcall.json'), {
    message: 'rollcall.json: balancers.shop.sticky is not an object of settings, like {"mode": "insert"}',
  });
});

test('the route cookie is set by flags, by the environment and in the file alike', (t) => {
  const cases: [flag: string, fileKey: string, text: string, setting: object][] = [
    ['name', 'name', 'id', { name: 'id' }],
    ['same-site', 'sameSite', 'Strict', { sameSite: 'Strict' }],
    ['secure', 'secure', 'always', { secure: 'always' }],
    ['domain', 'domain', 'Example.COM', { domain: 'example.com' }],
    ['path', 'path', '/shop', { path: '/shop' }],
    ['lifetime', 'lifetime', 'session', { lifetime: { ends: 'session' } }],
    ['lifetime', 'lifetime', 'application', { lifetime: { ends: 'application' } }],
    ['lifetime', 'lifetime', 'idle:30m', { lifetime: { ends: 'idle', afterMs: 1_800_000 } }],
    ['lifetime', 'lifetime', 'whole:12h', { lifetime: { ends: 'whole', afterMs: 43_200_000 } }],
  ];
  for (const [flag, fileKey, text, routeCookie] of cases) {
    const patch = { sticky: { routeCookie } };
    assert.deepEqual(settings(t, [`--route-cookie-${flag}`, text]), [['flag', patch]]);
    const variable = `ROLLCALL_ROUTE_COOKIE_${flag.replaceAll('-', '_').toUpperCase()}`;
    assert.deepEqual(settings(t, [], { [variable]: text }), [['environment', patch]]);
    delete process.env[variable];
    assert.deepEqual(fromFile({ routeCookie: { [fileKey]: text } }), [patch]);
  }
  const both = { secure: 'always', partitioned: true } as const;
  assert.deepEqual(fromFile({ mode: 'insert', routeCookie: both }), [
    { sticky: { mode: 'insert', routeCookie: both } },
  ]);
});

test('an invalid setting of the route cookie is refused with what to write', (t) => {
  for (const [flag, text, message] of [
    ['name', 'a b', /--route-cookie-name "a b": write the name of a cookie/],
    ['same-site', 'lax', /write one of Lax, Strict, None/],
    ['secure', 'yes', /write one of auto, always/],
    ['domain', '..example.com', /write a host name/],
    ['domain', 'com', /settings of all balancers: browsers refuse Domain=com, /],
    ['domain', '10.0.0.1', /write a host name/],
    ['domain', '*.example.com', /write a host name/],
    ['domain', 'a; Secure', /write a host name/],
    ['path', 'shop', /write a path/],
    ['path', '/a;b', /write a path/],
    ['lifetime', '30m', /write session, application, idle:30m or whole:12h/],
    ['lifetime', 'idle', /write session, application, idle:30m or whole:12h/],
    ['lifetime', 'idle:1s', /--route-cookie-lifetime/],
    ['lifetime', 'whole:401d', /--route-cookie-lifetime/],
    ['same-site', 'None', /settings of all balancers: browsers refuse SameSite=None without Secure/],
    ['name', 'JSESSIONID', /settings of all balancers: .*route-cookie-name/],
  ] as const)
    assert.throws(() => settings(t, [`--route-cookie-${flag}`, text]), message, `${flag} ${text}`);
  assert.throws(() => fromFile({ routeCookie: { sameSite: 'None' } }), /settings of balancer shop: browsers refuse/);
  assert.throws(() => fromFile({ routeCookie: { samesite: 'Lax' } }), /unknown key "samesite".*sameSite/);
  assert.throws(() => fromFile({ routeCookie: 'Lax' }), /routeCookie is not an object/);
});

test('settings that exclude each other are refused in the words in which they were given', (t) => {
  const always = {
    flag: 'set --route-cookie-secure always',
    environment: 'set ROLLCALL_ROUTE_COOKIE_SECURE=always',
    file: 'set balancers.shop.sticky.routeCookie.secure=always',
  };
  const cases: [settings: readonly [flag: string, fileKey: string, text: string][], words: typeof always][] = [
    [[['same-site', 'sameSite', 'None']], always],
    [[['name', 'name', '__Secure-id']], always],
    [
      [['domain', 'domain', 'com']],
      {
        flag: 'set --route-cookie-domain example.com',
        environment: 'set ROLLCALL_ROUTE_COOKIE_DOMAIN=example.com',
        file: 'set balancers.shop.sticky.routeCookie.domain=example.com',
      },
    ],
    [
      [['name', 'name', 'JSESSIONID']],
      {
        flag: 'because --session-cookie lists it as a session cookie of the application: set another --route-cookie-name',
        environment: 'because ROLLCALL_SESSION_COOKIE lists it .* set another ROLLCALL_ROUTE_COOKIE_NAME',
        file: 'because balancers.shop.sticky.cookies lists it .* set another balancers.shop.sticky.routeCookie.name',
      },
    ],
    [
      [
        ['name', 'name', '__Host-id'],
        ['secure', 'secure', 'always'],
      ],
      {
        flag: 'set --route-cookie-path /, or set a name',
        environment: 'set ROLLCALL_ROUTE_COOKIE_PATH=/, or set a name',
        file: 'set balancers.shop.sticky.routeCookie.path=/, or set a name',
      },
    ],
  ];
  for (const [given, words] of cases) {
    const label = JSON.stringify(given);
    const flags = given.flatMap(([flag, , text]) => [`--route-cookie-${flag}`, text]);
    assert.throws(() => settings(t, flags), new RegExp(words.flag), label);
    const variables = given.map(([flag, , text]) => [
      `ROLLCALL_ROUTE_COOKIE_${flag.replaceAll('-', '_').toUpperCase()}`,
      text,
    ]);
    assert.throws(() => settings(t, [], Object.fromEntries(variables)), new RegExp(words.environment), label);
    for (const [name] of variables) delete process.env[name!];
    const routeCookie = Object.fromEntries(given.map(([, fileKey, text]) => [fileKey, text]));
    assert.throws(() => fromFile({ routeCookie }), new RegExp(words.file), label);
  }
});

function fromFile(sticky: object): unknown[] {
  const command = new Command('up').exitOverride();
  for (const option of settingOptions()) command.addOption(option);
  return startSettings(command, { shop: { sticky } }, 'rollcall.json').map(({ patch }) => patch);
}

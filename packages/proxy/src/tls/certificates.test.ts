import assert from 'node:assert/strict';
import { pbkdf2, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { REFUSALS } from '@rollcall/feed';
import { startLane } from '../engine/lane.fixture.ts';
import { connectRawClient } from '../engine/raw-client.fixture.ts';
import type { RawNodeConnection } from '../engine/raw-node.fixture.ts';
import { makeAuthority } from '../testing/authority.ts';
import {
  type CertificateFiles,
  Certificates,
  type CertificatesOptions,
  type CertificatesReport,
} from './certificates.ts';

function certificates(
  t: TestContext,
  files: readonly CertificateFiles[],
  said: string[] = [],
  options: Partial<CertificatesOptions> = {},
): Certificates {
  const log = {
    info: (_: object, message: string) => said.push(message),
    warn: (fields: object, message: string) => said.push(`${message}: ${(fields as { reason?: string }).reason}`),
  };
  const ticketKeys = Buffer.alloc(48, 7);
  const made = new Certificates({ files, ticketKeys, log, nowUnixMs: Date.now, lookMs: 20, ...options });
  // The watch of the files does not keep a process running.
  const running = setInterval(() => undefined, 60_000);
  t.after(() => {
    clearInterval(running);
    made.close();
  });
  return made;
}

test('unusable files are named, with the reason', (t) => {
  const authority = makeAuthority(t);
  const one = authority.issue('one', ['one.example']);
  const two = authority.issue('two', ['two.example']);
  const cannot = (files: CertificateFiles, why: RegExp): void => {
    assert.throws(() => certificates(t, [files]), why);
  };
  cannot({ cert: join(authority.directory, 'none.crt'), key: one.key }, /^Error: cannot read .*none\.crt: ENOENT$/);
  cannot({ cert: one.key, key: one.key }, /one\.key holds no certificate in PEM form$/);
  cannot(
    { cert: one.cert, key: two.key },
    /^Error: the key in .*two\.key does not belong to the certificate in .*one\.crt$/,
  );
});

/** Faults of the files of a half-finished renewal. */
const FAULTS: readonly (readonly [
  what: string,
  breakFiles: (files: CertificateFiles, other: CertificateFiles) => void,
  problem: RegExp,
])[] = [
  ['a key of another certificate', ({ key }, other) => copyFileSync(other.key, key), /key in .* does not belong to/],
  ['a certificate of another key', ({ cert }, other) => copyFileSync(other.cert, cert), /key in .* does not belong to/],
  ['a missing key', ({ key }) => rmSync(key), /^cannot read .*site\.key: ENOENT$/],
  ['a missing certificate', ({ cert }) => rmSync(cert), /^cannot read .*site\.crt: ENOENT$/],
  ['an empty certificate', ({ cert }) => writeFileSync(cert, ''), /site\.crt holds no certificate in PEM form$/],
  [
    'half of a key',
    ({ key }) => writeFileSync(key, readFileSync(key, 'utf8').slice(0, 80)),
    /site\.crt with .*site\.key: /,
  ],
  [
    'a directory in place of the key',
    ({ key }) => {
      rmSync(key);
      mkdirSync(key);
    },
    /^cannot read .*site\.key: EISDIR$/,
  ],
];

for (const [what, breakFiles, problem] of FAULTS)
  for (const isRestarted of [false, true])
    test(`${what}: ${isRestarted ? 'a restarted' : 'a running'} process uses the last good certificates`, async (t) => {
      const authority = makeAuthority(t);
      const files = authority.issue('site', ['shop.example']);
      const second = authority.issue('second', ['blog.example']);
      const renewed = authority.issue('renewed', ['shop.example', 'renewed.example']);
      let report: CertificatesReport | undefined;
      let isChanged: () => void = () => {};
      const options = {
        onReport: (one: CertificatesReport) => {
          report = one;
          isChanged();
        },
      };
      const first = certificates(t, [files, second], [], options);
      const good = report!;
      assert.deepEqual(
        good.inUse.map(({ path, names, problem }) => [path, names, problem]),
        [
          [files.cert, ['shop.example'], undefined],
          [second.cert, ['blog.example'], undefined],
        ],
      );
      if (isRestarted) first.close();
      breakFiles(files, renewed);
      // A fault of one pair does not stop the renewal of another.
      const other = authority.issue('second', ['blog.example', 'new.example']);
      if (isRestarted) {
        assert.throws(() => certificates(t, [files, other]), { message: problem });
        certificates(t, [files, other], [], { ...options, kept: good.kept });
      } else first.readAgain();
      assert.match(report!.inUse[0]!.problem!, problem);
      assert.deepEqual(report!.inUse[0]!.names, ['shop.example']);
      assert.deepEqual(report!.inUse[1]!.names, ['blog.example', 'new.example']);
      assert.deepEqual(report!.kept[0], good.kept[0], 'kept for the next process');

      const repaired = new Promise<void>((resolve) => {
        isChanged = () => report!.inUse[0]!.problem ?? resolve();
      });
      rmSync(files.key, { recursive: true, force: true });
      copyFileSync(renewed.key, files.key);
      copyFileSync(renewed.cert, files.cert);
      await repaired;
      assert.deepEqual(report!.inUse[0]!.names, ['shop.example', 'renewed.example']);
    });

test('a change at the moment of the start is seen', async (t) => {
  const authority = makeAuthority(t);
  for (const change of ['replaced', 'moved away'] as const) {
    const files = authority.issue('site', ['shop.example']);
    const renewed = authority.issue('renewed', ['renewed.example']);
    // The thread pool is busy, so that the first look at the files comes late.
    const busy = Promise.all(Array.from({ length: 8 }, () => promisify(pbkdf2)('', '', 200_000, 64, 'sha512')));
    let report: CertificatesReport | undefined;
    let isChanged: () => void = () => {};
    const made = certificates(t, [files], [], {
      onReport: (one) => {
        report = one;
        isChanged();
      },
    });
    if (change === 'replaced') for (const of of ['key', 'cert'] as const) copyFileSync(renewed[of], files[of]);
    else renameSync(files.key, `${files.key}.away`);
    await new Promise<void>((resolve) => {
      isChanged = resolve;
    });
    if (change === 'replaced') assert.deepEqual(report!.inUse[0]!.names, ['renewed.example']);
    else assert.match(report!.inUse[0]!.problem!, /ENOENT/);
    await busy;
    made.close();
  }
});

test('a problem ends without a new certificate, and without a change of the times of the file', async (t) => {
  const authority = makeAuthority(t);
  const files = authority.issue('site', ['shop.example']);
  const said: string[] = [];
  const problems: (string | undefined)[] = [];
  let isChanged: () => void = () => {};
  certificates(t, [files], said, {
    onReport: ({ inUse }) => {
      problems.push(inUse[0]!.problem);
      isChanged();
    },
  });
  const { mtime } = statSync(files.key);
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      isChanged = resolve;
    });
  const broken = next();
  renameSync(files.key, `${files.key}.away`);
  await broken;
  const repaired = next();
  renameSync(`${files.key}.away`, files.key);
  utimesSync(files.key, mtime, mtime);
  await repaired;
  assert.deepEqual(problems, [undefined, `cannot read ${files.key}: ENOENT`, undefined]);
  assert.match(said.at(-1)!, /the certificate files can be used again/);
  assert.equal(said.filter((line) => line.includes('cannot reload')).length, 1, 'one line for one problem');
});

async function greet(connection: RawNodeConnection): Promise<void> {
  for (let count = 1; ; count++) {
    await connection.heads(count);
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
  }
}

/** An engine with a TLS port, and a client. */
async function startTlsLane(t: TestContext, made: Certificates) {
  const lane = await startLane([greet], { certificates: made });
  t.after(() => lane.close());
  const { port } = await lane.engine.listenTls({ host: '127.0.0.1', port: 0 });
  const connect = async (options: tls.ConnectionOptions): Promise<tls.TLSSocket> => {
    const socket = tls.connect({ host: '127.0.0.1', port, ...options });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };
  return { ...lane, tlsPort: port, connectTls: connect };
}

/** Sends one request and waits for the node's answer. */
async function ask(socket: tls.TLSSocket, host: string): Promise<string> {
  let text = '';
  const isWhole = new Promise<void>((resolve) => {
    socket.on('data', (octets: Buffer) => {
      text += octets.toString();
      if (text.endsWith('hello')) resolve();
    });
  });
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await isWhole;
  socket.removeAllListeners('data');
  return text;
}

test('a client gets the certificate for its server name', async (t) => {
  const authority = makeAuthority(t);
  const made = certificates(t, [
    authority.issue('first', ['first.example']),
    authority.issue('wild', ['*.shop.example', 'shop.example']),
  ]);
  const { connectTls, router } = await startTlsLane(t, made);
  const named = async (servername: string): Promise<string> => {
    const socket = await connectTls({ servername, ca: authority.ca, checkServerIdentity: () => undefined });
    return String(socket.getPeerX509Certificate()!.subject);
  };
  assert.equal(await named('first.example'), 'CN=first.example');
  assert.equal(await named('eu.SHOP.example'), 'CN=*.shop.example');
  assert.equal(await named('shop.example'), 'CN=*.shop.example');
  assert.equal(await named('a.b.shop.example'), 'CN=first.example');
  assert.equal(await named('other.example'), 'CN=first.example');

  const socket = await connectTls({ servername: 'shop.example', ca: authority.ca });
  assert.match(await ask(socket, 'shop.example'), /^HTTP\/1\.1 200 /);
  assert.equal(router.heads[0]?.isSecure, true);
  assert.equal(socket.alpnProtocol, false);
  const withoutName = await connectTls({ ca: authority.ca, checkServerIdentity: () => undefined });
  assert.equal(withoutName.getPeerX509Certificate()!.subject, 'CN=first.example');
});

test('new certificates are used without dropping connections, a half-replaced pair is not', async (t) => {
  const authority = makeAuthority(t);
  const files = authority.issue('site', ['shop.example']);
  const said: string[] = [];
  const made = certificates(t, [files], said);
  const { connectTls, engine } = await startTlsLane(t, made);
  const options = { servername: 'shop.example', ca: authority.ca };
  const before = await connectTls(options);
  await ask(before, 'shop.example');
  const serialBefore = before.getPeerX509Certificate()!.serialNumber;

  const renewed = authority.issue('renewed', ['shop.example']);
  writeFileSync(files.cert, readFileSync(renewed.cert));
  made.readAgain();
  assert.match(said.join('\n'), /cannot reload the certificates; .*: the key in .* does not belong/);
  copyFileSync(renewed.key, files.key);
  const changed = new Promise<void>((resolve) => {
    const { onChange } = made;
    made.onChange = () => {
      onChange();
      resolve();
    };
  });
  await changed;

  const serial = new X509Certificate(readFileSync(renewed.cert)).serialNumber;
  assert.notEqual(serial, serialBefore);
  assert.equal((await connectTls(options)).getPeerX509Certificate()!.serialNumber, serial);
  const nameless = await connectTls({ ca: authority.ca, checkServerIdentity: () => undefined });
  assert.equal(nameless.getPeerX509Certificate()!.serialNumber, serial);
  assert.match(await ask(before, 'shop.example'), /200/, 'the old connection continues');
  assert.equal(
    engine.counters(0).refusals.every((count) => count === 0),
    true,
  );
});

test('a connection without a handshake is closed and counted, and no longer counted as present', async (t) => {
  const authority = makeAuthority(t);
  const made = certificates(t, [authority.issue('site', ['shop.example'])]);
  const { connectTls, engine, tlsPort } = await startTlsLane(t, made);
  const plain = await connectRawClient(tlsPort);
  plain.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  assert.doesNotMatch(await plain.ended(), /HTTP/);
  await assert.rejects(
    connectTls({ servername: 'shop.example', ca: authority.ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }),
  );
  assert.equal(engine.counters(0).refusals[REFUSALS.indexOf('handshake')], 2);

  const good = await connectTls({ servername: 'shop.example', ca: authority.ca });
  await ask(good, 'shop.example');
  assert.equal(engine.counters(0).connections, 1);
  assert.equal(engine.admitted, 1);
  good.destroy();
  while (engine.admitted > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(engine.counters(0).connections, 0);
});

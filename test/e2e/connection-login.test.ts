/**
 * NTLM through a real `rollcall up`. Three nodes bind identity to their TCP connections, as IIS does. curl is the client that logs
 * in, without cookies, so that only the connection identifies its handshake. Guests send requests in between.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Site } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const run = promisify(execFile);
const hasNtlm = await run('curl', ['-V']).then(
  ({ stdout }) => stdout.includes('NTLM'),
  () => false,
);
const SIGNATURE = Buffer.from('NTLMSSP\0');

/** MS-NLMP 2.2.1.2 CHALLENGE_MESSAGE: flags for Unicode and NTLM, no target. */
function challengeMessage(challenge: Buffer): string {
  const message = Buffer.alloc(48);
  SIGNATURE.copy(message);
  message.writeUInt32LE(2, 8);
  message.writeUInt32LE(48, 16);
  message.writeUInt32LE(0x0000_8201, 20);
  challenge.copy(message, 24);
  message.writeUInt32LE(48, 44);
  return message.toString('base64');
}

/** MS-NLMP 2.2.1.3 AUTHENTICATE_MESSAGE: its user name. */
function userOf(message: Buffer): string {
  const [length, offset] = [message.readUInt16LE(36), message.readUInt32LE(40)];
  return message.toString('utf16le', offset, offset + length);
}

/** The user of a connection and its challenge. */
function ntlmNode(id: string): RequestListener {
  const users = new WeakMap<Socket, string>();
  const challenged = new WeakSet<Socket>();
  return (request, response) => {
    const { socket } = request;
    const [, credentials] = /^NTLM (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    const message = Buffer.from(credentials ?? '', 'base64');
    const refuse = (challenge: string): void => {
      response.writeHead(401, { 'WWW-Authenticate': challenge, 'Content-Length': 5 }).end('who?\n');
    };
    request.resume();
    if (message.length > 12 && message.readUInt32LE(8) === 1) {
      users.delete(socket);
      challenged.add(socket);
      refuse(`NTLM ${challengeMessage(randomBytes(8))}`);
      return;
    }
    if (message.length > 44 && challenged.delete(socket)) users.set(socket, userOf(message));
    const user = users.get(socket);
    if (user === undefined) refuse('NTLM');
    else response.end(`hello ${user} at ${id}\n`);
  };
}

async function curl(site: Site, user: string, paths: readonly string[], more: readonly string[] = []): Promise<string> {
  const urls = paths.map((path) => `http://127.0.0.1:${site.proxyPort}${path}`);
  const { stdout } = await run('curl', ['-sS', '--max-time', '20', '--ntlm', '-u', `${user}:secret`, ...more, ...urls]);
  return stdout;
}

async function start(t: TestContext): Promise<Site> {
  const site = await Site.start(t);
  for (const id of ['a', 'b', 'c']) await site.addNode(id, {}, ntlmNode(id));
  return site;
}

test('curl logs in by NTLM at one of three nodes, keeps its login, and leaves none to guests', {
  timeout: 120_000,
  skip: hasNtlm ? false : 'curl with NTLM',
}, async (t) => {
  const site = await start(t);
  const logins = Array.from({ length: 24 }, async (_, i) => {
    const user = i % 2 === 0 ? 'alice' : 'mallory';
    const more = i % 3 === 0 ? ['-d', 'a form'] : [];
    const answer = await curl(site, user, ['/', '/again', '/and-again'], more);
    assert.match(answer, new RegExp(`^(hello ${user} at ([abc])\n)(?:hello ${user} at \\2\n){2}$`));
  });
  const guests = Array.from({ length: 60 }, async () => {
    const { status, body } = await new Visitor(site.proxyPort).get('/');
    assert.deepEqual([status, body], [401, 'who?\n']);
  });
  await Promise.all([...logins, ...guests]);
  for (let i = 0; i < 30; i++) assert.equal((await new Visitor(site.proxyPort).get('/')).status, 401);
});

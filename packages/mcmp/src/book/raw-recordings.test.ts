/**
 * Replays the raw recordings, in which a small client sends good and bad messages. Each fault has the Type and Mess of one of the two
 * dialects, or a named difference. State that the recordings build up is not compared here: recordings.test.ts does so with real nodes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessage } from '../messages/message.ts';
import { writeAnswer } from '../wire/response.ts';
import { TestProxy } from './proxy.fixture.ts';
import { type Exchange, type RecordedReply, recording } from './recordings.fixture.ts';

const GROUPS = ['config', 'config-errors', 'app', 'app-node', 'status', 'http'];

/** `200`, or `500 Type Mess`, or the status alone. */
function recorded(reply: RecordedReply | undefined): string | undefined {
  if (reply === undefined) return undefined;
  if (reply.status !== 500) return String(reply.status);
  return `500 ${reply.fields.get('type')} ${reply.fields.get('mess')}`;
}

function answerTo(proxy: TestProxy, { request, connection }: Exchange): string {
  if (request.type === 'fault') return String(request.status);
  const message = readMessage(request);
  if (message === undefined) return '501';
  const answer = message.type === 'fault' ? message : proxy.answer(message, connection);
  const written = writeAnswer(answer, true);
  const [, type, mess] = /\r\nType: (\w+)\r\nMess: ([^\r]*)/.exec(written) ?? [];
  return type === undefined ? '200' : `500 ${type} ${mess}`;
}

interface Row {
  readonly group: string;
  readonly name: string;
  readonly ours: string;
  readonly theirs: readonly (string | undefined)[];
}

/** The cases of both dialects side by side, in order; a case may have several requests. */
function rows(group: string): Row[] {
  const [head, v13] = ['head', 'v13'].map((dialect) =>
    recording(`${dialect}-raw-${group}`).filter((step) => step.type === 'exchange'),
  );
  const others = new Map<string, Exchange[]>();
  for (const one of v13!) others.set(one.name, [...(others.get(one.name) ?? []), one]);
  const proxy = new TestProxy();
  let atMs = 0;
  return head!.map((exchange) => {
    proxy.advance(Math.max(0, exchange.atMs - atMs));
    atMs = exchange.atMs;
    const other = others.get(exchange.name)?.shift();
    const ours = answerTo(proxy, exchange);
    return { group, name: exchange.name, ours, theirs: [recorded(exchange.reply), recorded(other?.reply)] };
  });
}

/** Differences on purpose: the group and the name of the case, and our answer. */
const PURPOSES: readonly {
  readonly group: RegExp;
  readonly name: RegExp;
  readonly ours: RegExp;
  readonly reason: string;
}[] = [
  {
    group: /config$/,
    name: /^changed: /,
    ours: /^200$/,
    reason: 'a node without contexts holds nothing, and may change',
  },
  { group: /config$/, name: /^other route/, ours: /^200$/, reason: 'the same: the holder has no contexts' },
  { group: /config/, name: /Type|Port|Host=/, ours: /field has bad value/, reason: 'no address: a repeat is in vain' },
  { group: /config$/, name: /=9{11}$/, ours: /field has bad value/, reason: 'no time of httpd is that long' },
  { group: /config-errors/, name: /without =|&/, ours: /^200$/, reason: 'empty parts and flags are skipped' },
  {
    group: /config-errors/,
    name: / in a value| in JVMRoute|UTF-8|127|control|tab|body/,
    ours: /Can't parse/,
    reason: 'no cookie can carry this route',
  },
  { group: /./, name: / \*$/, ours: /^200$/, reason: 'the star is a target for the whole node' },
  {
    group: /app-node/,
    name: /after removal/,
    ours: /Can't read node|^200$/,
    reason: 'a removed node is unknown at once',
  },
  {
    group: /./,
    name: /Load=|too short/,
    ours: /GENERAL TODO: Bad value for Load/,
    reason: 'one wrong number must not silence a node',
  },
  { group: /status/, name: /without =/, ours: /^200$/, reason: 'the real proxies crash, or cannot parse it' },
  { group: /status/, name: /empty Scheme/, ours: /Mandatory field/, reason: 'an empty field is a missing one' },
  { group: /http/, name: /^method/, ours: /^501$/, reason: 'the port is for MCMP only' },
  {
    group: /http/,
    name: /takes no MCMP|web host|Host$/,
    ours: /^200$|SYNTAX|already exists/,
    reason: 'the port is for MCMP only, under any name',
  },
  { group: /http/, name: /^HTTP\/|folded|empty lines|^target/, ours: /^4/, reason: 'the parser is stricter' },
  { group: /http/, name: /[Cc]hunked|Transfer-Encoding/, ours: /^411$/, reason: 'a body needs a Content-Length' },
  {
    group: /http/,
    name: /header|target|body of 30000/,
    ours: /^(413|431)$/,
    reason: 'bounds have a status of their own',
  },
];

for (const group of GROUPS)
  test(`raw recordings of ${group}: each answer is that of a dialect, or differs on purpose`, () => {
    const all = rows(group);
    assert.ok(all.length > 30, `${all.length} cases`);
    const unexplained = all.filter(
      ({ name, ours, theirs }) =>
        theirs.some((one) => one !== undefined) &&
        !theirs.includes(ours) &&
        !PURPOSES.some((one) => one.group.test(group) && one.name.test(name) && one.ours.test(ours)),
    );
    assert.deepEqual(unexplained, []);
  });

/**
 * Replays what real nodes sent, and compares each answer with that of the real proxy: status, Type of the fault, State and Requests. With
 * the same answers a node continues as it did. Where ours differ on purpose, the scene has the difference and the reason.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessage } from '../messages/message.ts';
import { writeAnswer } from '../wire/response.ts';
import { TestProxy } from './proxy.fixture.ts';
import { type Exchange, type RecordedReply, recording, recordingNames } from './recordings.fixture.ts';

/** What a node does next depends on this much of an answer. */
function essence(status: number, type: string | undefined, body: string): string {
  if (status !== 200) return `${status} ${type}`;
  const state = /State=\w+/.exec(body)?.[0];
  const requests = /Requests=\d+/.exec(body)?.[0];
  return [200, state, requests].filter((part) => part !== undefined).join(' ');
}

function recordedEssence({ status, fields, body }: RecordedReply): string {
  return essence(status, fields.get('type'), body);
}

/** Plays the scene; `take` gets each exchange with the text of our answer. */
function replay(name: string, take: (exchange: Exchange, body: string, essenceOfOurs: string) => void): void {
  let proxy = new TestProxy();
  let atMs = 0;
  for (const step of recording(name)) {
    proxy.advance(Math.max(0, step.atMs - atMs));
    atMs = step.atMs;
    if (step.type === 'remark') {
      if (/^node tomcat1 (?:gets SIGKILL|has ended)/.test(step.text)) refuse(proxy, 'tomcat1');
      if (/^httpd (?:stops|starts again)|graceful/.test(step.text)) proxy = new TestProxy();
      continue;
    }
    const { text, body } = answerTo(proxy, step);
    take(step, body, text);
  }
}

/** What was sent, what the proxy answered, what we answer, where they differ. */
function differences(name: string): string[] {
  const found: string[] = [];
  replay(name, (exchange, _, ours) => {
    const theirs = exchange.reply && recordedEssence(exchange.reply);
    if (exchange.isOfNode && theirs !== undefined && ours !== theirs)
      found.push(`${line(exchange)}: ${theirs} -> ${ours}`);
  });
  return found;
}

function line({ request }: Exchange): string {
  if (request.type === 'fault') return `fault ${request.status}`;
  return `${request.method} ${request.target} ${request.body}`.trim();
}

function refuse(proxy: TestProxy, id: string): void {
  const url = proxy.resource(id)?.url;
  if (url !== undefined) proxy.refusing.add(url);
}

function answerTo(proxy: TestProxy, { request, reply, connection }: Exchange): { text: string; body: string } {
  if (request.type === 'fault') return { text: `${request.status} undefined`, body: '' };
  const message = readMessage(request);
  if (message === undefined) return { text: '501 undefined', body: '' };
  if (message.type === 'CONFIG') {
    const { host, port, scheme } = message.config;
    proxy.refusing.delete(`${scheme}://${host}:${port}`);
  }
  proxy.requests = Number(/Requests=(\d+)/.exec(reply?.body ?? '')?.[1] ?? 0);
  const answer = message.type === 'fault' ? message : proxy.answer(message, connection);
  const written = writeAnswer(answer, true);
  const type = /\r\nType: (\w+)/.exec(written)?.[1];
  const body = answer.type === 'body' ? answer.body : '';
  return { text: essence(Number(written.slice(9, 12)), type, body), body };
}

/** Differences on purpose. `name`: part of the name of a recording. */
interface Purpose {
  readonly name: RegExp;
  readonly difference: RegExp;
  readonly reason: string;
}

const PURPOSES: readonly Purpose[] = [
  {
    name: /^head-/,
    difference: /^STOP-APP .*: 200 -> 200 Requests=0$/,
    reason: 'head has no count, so that Java takes it for 0 while requests run; ours is the true one',
  },
  {
    name: /^head-aliases$/,
    difference: /^STATUS .*: 200 State=OK -> 500 MEM$/,
    reason: 'the trap of a resync: the node has lost its contexts, and registers again after this answer',
  },
  {
    name: /^(head|v13)-mem-other-port/,
    difference: /Port=8082.*: 500 MEM -> 200$/,
    reason: 'the node under the old address is dead, so the new one replaces it at its first attempt',
  },
  {
    name: /-removed-by-operator$/,
    difference: /^STATUS .*: 200 State=NOTOK -> 500 MEM$/,
    reason: 'a removed node is unknown at once, so that it registers again one tick earlier',
  },
  {
    name: /^head-two-proxies$/,
    difference: /^REMOVE-APP \/\* .*: 500 MEM -> 200$/,
    reason: 'a node that leaves over two addresses of one proxy has left; as in 1.3.x this is no fault',
  },
];

const lifeCycles = recordingNames().filter((name) => !name.includes('raw-'));

for (const name of lifeCycles) {
  void test(`recording ${name} is answered as it was, or better`, () => {
    const unexplained = differences(name).filter(
      (difference) => !PURPOSES.some((one) => one.name.test(name) && one.difference.test(difference)),
    );
    assert.deepEqual(unexplained, []);
  });
}

void test('each difference on purpose occurs in a recording', () => {
  assert.ok(lifeCycles.length >= 70, `${lifeCycles.length}`);
  const all = lifeCycles.flatMap((name) => differences(name).map((difference) => ({ name, difference })));
  for (const { name, difference, reason } of PURPOSES)
    assert.ok(
      all.some((one) => name.test(one.name) && difference.test(one.difference)),
      reason,
    );
});

/** INFO as the Java listener reads it: per node its hosts, each with aliases and contexts. */
function readInfo(body: string): string[] {
  const rows: string[] = [];
  const routes = new Map<string, string>();
  const hosts = new Map<string, { aliases: string[]; contexts: string[] }>();
  for (const one of body.split('\n')) {
    const node = /^Node: \[(\d+)\],Name: ([^,]*),Balancer: ([^,]*),LBGroup: ([^,]*),Host: ([^,]*),Port: (\d+),/.exec(
      one,
    );
    if (node) {
      routes.set(node[1]!, node[2]!);
      rows.push(one.replace(/^Node: \[\d+\],/, '').replace(/Elected.*?Load/, 'Load'));
      continue;
    }
    const vhost = /^Vhost: \[(\d+):(\d+):\d+\], Alias: (.*)$/.exec(one);
    const context = /^Context: \[(\d+):(\d+):\d+\], Context: (.*), Status: (\w+)$/.exec(one);
    const match = vhost ?? context;
    if (match === null) continue;
    const key = `${routes.get(match[1]!)} ${match[2]}`;
    const host = hosts.get(key) ?? { aliases: [], contexts: [] };
    hosts.set(key, host);
    if (vhost) host.aliases.push(vhost[3]!);
    else host.contexts.push(`${context![3]} ${context![4]}`);
  }
  for (const [key, { aliases, contexts }] of hosts)
    rows.push(`${key.split(' ')[0]} ${aliases.sort().join()} ${contexts.sort().join()}`);
  return rows.sort();
}

/** Scenes whose INFO differs, and why. */
const OTHER_INFO: readonly [name: RegExp, reason: string][] = [
  [/-mem-other-port/, 'the dead node is replaced earlier'],
  [/-removed-by-operator$/, 'the node is back one tick earlier'],
  [/-kill9/, 'the registry gives the dead node up after its lease, not after 5 minutes'],
  [/-shutdown/, 'a removed node is not listed as REMOVED'],
  [/-two-nodes$/, 'a removed node is not listed as REMOVED'],
];

for (const name of lifeCycles.filter((one) => one.startsWith('v13-')))
  void test(`INFO in ${name} lists what the real proxy listed`, () => {
    if (OTHER_INFO.some(([pattern]) => pattern.test(name))) return;
    const ours: string[][] = [];
    const theirs: string[][] = [];
    replay(name, (exchange, answer) => {
      if (exchange.request.type === 'fault' || exchange.request.method !== 'INFO' || !exchange.reply) return;
      ours.push(readInfo(answer));
      theirs.push(readInfo(exchange.reply.body));
    });
    assert.deepEqual(ours, theirs);
  });

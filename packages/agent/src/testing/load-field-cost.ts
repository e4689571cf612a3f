/**
 * Measures the cost of counting a request and of the `rollcall-load` field, as CPU time of `http.ServerResponse`.
 *
 * Each way of writing a head has four variants. They are: without the agent, with the agent, with the agent and timed requests,
 * and with a wrapped `writeHead`. The result is the minimum of several rounds, because other work of the machine only adds
 * time.
 *
 *     node packages/agent/dist/testing/load-field-cost.js
 */
import { EventEmitter } from 'node:events';
import { IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { attachServer } from '../http.ts';
import { EventLoopMeter } from '../load/event-loop.ts';
import { InFlight } from '../load/in-flight.ts';
import { Latencies } from '../load/latencies.ts';
import { LOAD_FIELD, LoadField } from '../load/load-field.ts';
import { ServiceTime } from '../load/service-time.ts';
import { Traffic } from '../load/traffic.ts';

const RESPONSES = 50_000;
const ROUNDS = 12;

const HEADS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'end()': (response) => void response.end('x'),
  'writeHead(200, {…})': (response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1' });
    response.end('x');
  },
  'setHeader() × 4': (response) => {
    response.setHeader('x-powered-by', 'Express');
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader('content-length', '1');
    response.setHeader('etag', 'W/"1-x"');
    response.end('x');
  },
};

const field = new LoadField();
field.update({ utilisation: 0.421, sessions: 14 });
const latencies = new Latencies();
const inFlight = new InFlight(() => performance.now(), latencies);
const service = new ServiceTime(new EventLoopMeter(), inFlight, latencies);

/** The agent on a stub of a server that emits `request` only. */
const served = new EventEmitter();
attachServer(served as Server, inFlight, new Traffic(), {
  onListening: () => {},
  onUnixSocket: () => {},
  isEnding: () => false,
  onClosed: () => {},
  proofOf: () => undefined,
  loadLine: (shareMs) => field.line(inFlight.count, Number.isNaN(shareMs) ? shareMs : service.ofOne(shareMs)),
});

const WAYS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  without: () => {},
  agent: (response) => void served.emit('request', response.req, response),
  timed: (response) => {
    latencies.renew();
    served.emit('request', response.req, response);
  },
  writeHead: (response) => {
    const { writeHead } = response;
    response.writeHead = function (this: ServerResponse, ...head: unknown[]) {
      this.setHeader(LOAD_FIELD, '3;12.345;0.421;14');
      return Reflect.apply(writeHead, this, head);
    } as typeof writeHead;
  },
};

const request = new IncomingMessage(new Socket());
request.httpVersionMajor = 1;
request.httpVersionMinor = 1;
request.method = 'GET';
// Fields of a browser behind a proxy: the agent searches the names for a probe.
const NAMES =
  'Host User-Agent Accept Accept-Language Accept-Encoding Content-Type Content-Length Cookie X-Forwarded-For X-Forwarded-Proto Via';
for (const name of NAMES.split(' ')) request.rawHeaders.push(name, 'value');

function nanosecondsEach(way: (response: ServerResponse) => void, head: (response: ServerResponse) => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < RESPONSES; i += 1) {
    const response = new ServerResponse(request);
    way(response);
    head(response);
    response.emit('close');
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / RESPONSES;
}

for (const [headName, head] of Object.entries(HEADS)) {
  const least = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [name, way] of Object.entries(WAYS))
      least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, nanosecondsEach(way, head)));
  const base = least.get('without')!;
  const text = [...least].map(([name, ns]) => `${name} ${ns.toFixed(0)} ns (+${(ns - base).toFixed(0)})`).join('   ');
  process.stdout.write(`${headName.padEnd(20)} ${text}\n`);
}

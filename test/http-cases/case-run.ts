/** Plays one case against a lane and returns what client and node received. Does not judge. */
import { setTimeout as wait } from 'node:timers/promises';
import { maybe, numbers, type Part, type RequestCase, type ResponseCase, text } from './http-case.ts';
import { BARRIER_PATH } from './lanes.ts';
import { OctetClient } from './octet-client.ts';
import type { CaseNode, NodeScript, RecordedConnection } from './recording-node.ts';
import { type ReceivedRequest, valuesOf } from './request-record.ts';
import { isInterim, type ReceivedResponse, readResponses } from './response-record.ts';

/** How long an answer is waited for at most, milliseconds: where there may be none, */
const CAP_MS = 1_500;
/** where one has to come, also on a machine that does other work, */
const FORWARDED_CAP_MS = 15_000;
/** and where the proxy answers by a time limit. */
const TIMED_CAP_MS = 7_000;

export interface RequestObservation {
  readonly requests: readonly ReceivedRequest[];
  /** Octets at the node that belong to no request. */
  readonly rest: string;
  readonly tunnel: string;
  readonly responses: readonly ReceivedResponse[];
  readonly received: string;
  readonly hasEnded: boolean;
  readonly sawContinue: boolean;
}

export async function playRequest(one: RequestCase, node: CaseNode, port: number): Promise<RequestObservation> {
  node.follow(requestScript(one));
  const client = await OctetClient.connect(port, methodsOf(one.send));
  try {
    await client.send(one.send);
    const upstream = one.expect['upstream'];
    const wanted =
      typeof upstream === 'object' && upstream !== null && 'complete' in upstream ? Number(upstream.complete) : 1;
    const isAnswered = (): boolean => {
      const { finals } = client;
      return finals.length >= Math.max(1, wanted) && finals.at(-1)!.isComplete;
    };
    const capMs = one.expect['verdict'] === 'forward' ? FORWARDED_CAP_MS : CAP_MS;
    await client.until(isAnswered, one.isTimed ? TIMED_CAP_MS : capMs);
    if (one.more['tunnel_out'] !== undefined)
      await client.until(() => client.received.includes(text(one.more, 'tunnel_out')), CAP_MS);
    await settle(port);
    if (one.expect['connection'] === 'close') await client.until(() => false, CAP_MS);
    const records = node.connections.map(({ record }) => record);
    return {
      requests: records.flatMap(({ requests }) => requests.filter(({ target }) => target !== BARRIER_PATH)),
      rest: records.map(({ rest, requests }) => (requests.at(-1)?.isComplete === false ? '' : rest)).join(''),
      tunnel: records.map(({ tunnel }) => tunnel ?? '').join(''),
      responses: client.responses,
      received: client.received,
      hasEnded: client.hasEnded,
      sawContinue: client.sawContinue,
    };
  } finally {
    await leave(client, node, port);
  }
}

function requestScript(one: RequestCase): NodeScript {
  const reply = maybe(one.more, 'upstream_reply');
  const tunnelOut = maybe(one.more, 'tunnel_out');
  const isSwitch = reply?.startsWith('HTTP/1.1 101') === true;
  const answersAtHead = one.more['upstream_after_head'] === true;
  const ok = (method: string, target: string): string => {
    const body = method === 'HEAD' ? '' : 'ok';
    const shown = target.slice(0, 40).replace(/[^\x21-\x7e]/g, '?');
    return `HTTP/1.1 200 OK\r\nX-Up: ${shown}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  return {
    onHead: ({ fields }, { socket, record }) => {
      if (answersAtHead) socket.end(reply ?? '', 'latin1');
      else if (isSwitch && valuesOf(fields, 'upgrade').length > 0) {
        record.tunnel = '';
        socket.write(reply!, 'latin1');
        if (tunnelOut !== undefined) setImmediate(() => socket.write(tunnelOut, 'latin1'));
      } else if (valuesOf(fields, 'expect').length > 0 && hasBody(fields))
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    },
    onComplete: ({ method, target }, { socket, record, number }) => {
      if (answersAtHead || record.tunnel !== undefined) return;
      const isFirst = number === 1 && record.requests.length === 1;
      socket.write(reply !== undefined && !isSwitch && isFirst ? reply : ok(method, target), 'latin1');
    },
  };
}

function hasBody(fields: ReceivedRequest['fields']): boolean {
  return valuesOf(fields, 'content-length').length > 0 || valuesOf(fields, 'transfer-encoding').length > 0;
}

export interface ResponseObservation {
  readonly responses: readonly ReceivedResponse[];
  readonly hasEnded: boolean;
  /** Answers to the request that came after the case. */
  readonly followUps: readonly ReceivedResponse[];
  /** The connection was closed instead of answering the second request of a scenario. */
  readonly closedOnSecond: boolean;
  /** The node's connection of the case carried the request after it. */
  readonly wasReused: boolean;
  readonly firstAttempts: number;
  readonly secondAttempts: number;
}

const FOLLOW_UPS: Readonly<Record<string, string>> = {
  GET: 'GET /follow HTTP/1.1\r\nHost: t.example\r\n\r\n',
  POST: 'POST /follow HTTP/1.1\r\nHost: t.example\r\nContent-Length: 5\r\n\r\nhello',
  PUT: 'PUT /follow HTTP/1.1\r\nHost: t.example\r\nContent-Length: 5\r\n\r\nhello',
};

export async function playResponse(one: ResponseCase, node: CaseNode, port: number): Promise<ResponseObservation> {
  const attempts: Attempts = { first: 0, second: 0, firstConnection: 0, followConnection: 0, answers: [] };
  const scenario = maybe(one.more, 'scenario');
  node.follow(responseScript(one, scenario, attempts));
  const methods = methodsOf(one.request);
  const client = await OctetClient.connect(port, methods);
  try {
    await client.send(one.request);
    await client.until(() => client.finals.at(-1)?.isComplete === true, one.isTimed ? TIMED_CAP_MS : 2 * CAP_MS);
    const answered = client.responses;
    // The node may send more than its answer.
    await Promise.all(attempts.answers);
    await settle(port);
    const followUp = FOLLOW_UPS[maybe(one.more, 'second_request') ?? 'GET']!;
    const before = client.received.length;
    let followUps: readonly ReceivedResponse[] = [];
    let closedOnSecond = false;
    if (!client.hasEnded) {
      await client.send([{ type: 'octets', octets: followUp }]);
      const answers = (): ReceivedResponse[] => readResponses(client.received.slice(before), [], client.hasEnded);
      await client.until(() => answers().some((answer) => !isInterim(answer) && answer.isComplete), 2 * CAP_MS);
      followUps = answers();
      closedOnSecond = followUps.length === 0 && scenario !== undefined;
    }
    if (followUps.length === 0 && !closedOnSecond) followUps = await askAnew(port, followUp);
    return {
      responses: answered,
      hasEnded: client.hasEnded,
      followUps,
      closedOnSecond,
      wasReused: attempts.followConnection !== 0 && attempts.followConnection === attempts.firstConnection,
      firstAttempts: attempts.first,
      secondAttempts: attempts.second,
    };
  } finally {
    await leave(client, node, port);
  }
}

/** Requests that the node has received so far. */
interface Attempts {
  first: number;
  second: number;
  /** Numbers of the connections; 0 for none. */
  firstConnection: number;
  followConnection: number;
  /** The answers under way. */
  readonly answers: Promise<void>[];
}

function responseScript(one: ResponseCase, scenario: string | undefined, attempts: Attempts): NodeScript {
  const begin = (connection: RecordedConnection): void => {
    attempts.first++;
    attempts.firstConnection ||= connection.number;
    attempts.answers.push(answer(one, connection));
  };
  return {
    onHead: ({ target, fields }, connection) => {
      if (one.answersAtHead && target === '/r') begin(connection);
      else if (valuesOf(fields, 'expect').length > 0) connection.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    },
    onComplete: ({ target, method }, connection) => {
      const { socket, number } = connection;
      if (target !== '/follow') {
        if (!one.answersAtHead) begin(connection);
        return;
      }
      const meetsScenario = scenario !== undefined && number === attempts.firstConnection && attempts.second === 0;
      attempts.second++;
      if (!meetsScenario) {
        attempts.followConnection = number;
        socket.write(
          `HTTP/1.1 200 OK\r\nX-Up: follow\r\nContent-Length: 8\r\n\r\n${method === 'HEAD' ? '' : 'FOLLOWUP'}`,
        );
      } else if (scenario === 'reset-on-second') socket.resetAndDestroy();
      else socket.end(scenario === 'partial-on-second' ? 'HTTP/1.1 200 OK\r\nConte' : '');
    },
  };
}

async function answer(one: ResponseCase, { socket }: RecordedConnection): Promise<void> {
  for (const part of one.answer) {
    if (socket.destroyed) return;
    if (part.type === 'octets') socket.write(part.octets, 'latin1');
    else if (part.type === 'wait') await wait(part.ms);
    else if (part.type === 'dribble')
      for (const octet of part.octets) {
        socket.write(octet, 'latin1');
        await wait(part.gapMs);
      }
  }
  if (one.afterwards === 'fin') socket.end('');
  // After what was written has left: a reset would take it along.
  else if (one.afterwards === 'rst') setTimeout(() => socket.resetAndDestroy(), 30);
}

async function askAnew(port: number, request: string): Promise<readonly ReceivedResponse[]> {
  const client = await OctetClient.connect(port);
  await client.send([{ type: 'octets', octets: request }]);
  await client.until(() => client.finals.at(-1)?.isComplete === true, 2 * CAP_MS);
  client.close();
  return client.responses;
}

/** Resolves when the lane has acted upon everything that had reached it, and what that caused has had time to arrive. */
async function settle(port: number): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const client = await OctetClient.connect(port);
    await client.send([{ type: 'octets', octets: `GET ${BARRIER_PATH} HTTP/1.1\r\nHost: t.example\r\n\r\n` }]);
    await client.until(() => client.finals.length > 0, CAP_MS);
    client.close();
    await wait(10);
  }
}

/** The lane has to see the client leave before the node does: it would repeat an unanswered request in the middle of the next case. */
async function leave(client: OctetClient, node: CaseNode, port: number): Promise<void> {
  client.close();
  await settle(port);
  node.follow({});
}

function methodsOf(parts: readonly Part[]): readonly string[] {
  const [first] = parts;
  return first?.type === 'octets' && /^\s*HEAD /.test(first.octets) ? ['HEAD'] : [];
}

/** Statuses that a case allows; none named means any. */
export function allowedStatuses(bagOfExpectations: Readonly<Record<string, unknown>>): readonly number[] {
  return numbers(bagOfExpectations, 'status') ?? [];
}

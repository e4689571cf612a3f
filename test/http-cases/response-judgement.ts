import { allowedStatuses, type ResponseObservation } from './case-run.ts';
import { type Bag, inner, maybe, numbers, type ResponseCase, texts } from './http-case.ts';
import { isInterim, type ReceivedResponse } from './response-record.ts';

/**
 * Codes of everything that is not as a response case expects; empty when all is well. `POISONED` means that octets of
 * one answer were taken for another one.
 */
export function judgeResponse(one: ResponseCase, seen: ResponseObservation): string[] {
  const fails: string[] = [];
  const client = inner(one.expect, 'client');
  const finals = seen.responses.filter((response) => !isInterim(response));
  const [first] = finals;
  const statuses = allowedStatuses(client);
  checkFollowUp(one, seen, fails);
  checkAttempts(one, seen, fails);
  switch (one.verdict) {
    case 'forward':
      if (!first || first.status < 0) fails.push('no answer');
      else {
        if (!first.isComplete) fails.push('incomplete');
        checkAnswer(client, first, seen, fails);
      }
      break;
    case 'reject':
      if (!first || first.status < 0) fails.push(seen.hasEnded ? 'closed without 502' : 'no answer');
      else if (!(statuses.length > 0 ? statuses : [502]).includes(first.status)) fails.push(`status=${first.status}`);
      break;
    case 'abort':
      if (first && first.status > 0 && first.status < 500) {
        if (first.framing === 'close') fails.push('truncation invisible (close-delimited)');
        else if (first.isComplete) fails.push('clean end shown');
      }
      if (!seen.hasEnded && (first?.status ?? 0) < 500) fails.push('open');
      break;
    default:
      if (!first || first.status < 0) {
        if (first?.status === -1) fails.push('raw octets to client');
        else if (!seen.hasEnded) fails.push('no answer');
      } else if (!isGatewayError(first) || statuses.includes(500)) checkAnswer(client, first, seen, fails);
  }
  return fails;
}

/** What the proxy did with the answer; one that was begun and cut off is refused too. */
export function choiceOfResponse({ responses }: ResponseObservation): 'forward' | 'reject' {
  const first = responses.find((response) => !isInterim(response));
  return first && first.status > 0 && first.isComplete && !isGatewayError(first) ? 'forward' : 'reject';
}

function isGatewayError({ status }: ReceivedResponse): boolean {
  return [500, 502, 503, 504].includes(status);
}

function checkFollowUp(one: ResponseCase, seen: ResponseObservation, fails: string[]): void {
  const [first] = seen.followUps;
  const wanted = numbers(one.more, 'second_expect') ?? [200];
  const isPoisoned =
    seen.followUps.some(({ body }) => /POISON|EXTRA/.test(body)) ||
    (first?.status === 200 && first.body !== 'FOLLOWUP');
  if (isPoisoned) fails.push('POISONED');
  const isOk = first
    ? wanted.includes(first.status) && (first.status !== 200 || first.body === 'FOLLOWUP')
    : one.more['second_closed_ok'] === true && seen.closedOnSecond;
  if (!isOk) fails.push(`follow=${first?.status ?? 'none'}`);
}

function checkAttempts(one: ResponseCase, seen: ResponseObservation, fails: string[]): void {
  if (one.expect['reuse'] === false && seen.wasReused) fails.push('reused');
  if (one.expect['reuse'] === true && !seen.wasReused) fails.push('not reused');
  if (seen.firstAttempts > Number(one.more['max_attempts'] ?? Number.POSITIVE_INFINITY))
    fails.push(`attempts=${seen.firstAttempts}`);
  if (seen.secondAttempts > Number(one.more['max_second_attempts'] ?? Number.POSITIVE_INFINITY))
    fails.push(`second attempts=${seen.secondAttempts}`);
}

function checkAnswer(client: Bag, first: ReceivedResponse, seen: ResponseObservation, fails: string[]): void {
  const statuses = allowedStatuses(client);
  if (statuses.length > 0 && !statuses.includes(first.status)) fails.push(`status=${first.status}`);
  const body = maybe(client, 'body') ?? (first.status < 500 ? maybe(client, 'body_unless_error') : undefined);
  if (body !== undefined && first.body !== body) fails.push(`body=${first.body.slice(0, 40)}`);
  if (first.status >= 500) return;
  checkFields(client, first, fails);
  checkHead(client, first, fails);
  const interims = seen.responses.filter(isInterim).map(({ status }) => status);
  const wanted = numbers(client, 'interim');
  if (wanted && wanted.join() !== interims.filter((status) => status !== 100).join()) fails.push(`interim=${interims}`);
  if (client['never_complete'] === true && first.isComplete && first.framing !== 'close')
    fails.push('taken as complete');
}

function checkFields(client: Bag, { fields }: ReceivedResponse, fails: string[]): void {
  const values = (name: string): string[] => fields.filter(([own]) => own === name).map(([, value]) => value);
  const lengths = values('content-length');
  if (client['single_cl'] === true && lengths.length > 1) fails.push('two CL');
  if (client['single_cl'] === true && lengths.some((length) => !/^[0-9]+$/.test(length))) fails.push(`cl=${lengths}`);
  if (client['no_both'] === true && lengths.length > 0 && values('transfer-encoding').length > 0)
    fails.push('TE+CL to client');
  for (const rule of texts(client, 'headers_absent') ?? []) {
    const [name = '', start = ''] = rule.split(':');
    if (values(name).some((value) => value.startsWith(start))) fails.push(`${rule} present`);
  }
  for (const name of texts(client, 'has') ?? []) if (values(name).length === 0) fails.push(`${name} lost`);
  for (const key of ['headers_equal', 'joined'])
    for (const [name, value] of Object.entries(inner(client, key)))
      if (values(name).join(', ') !== value) fails.push(`${name}=${values(name)}`);
  for (const [name, value] of Object.entries(inner(client, 'headers_not')))
    if (values(name).includes(String(value))) fails.push(`${name}=${String(value)}`);
  for (const [name, lines] of Object.entries(inner(client, 'header_lines')))
    if (JSON.stringify(values(name)) !== JSON.stringify(lines)) fails.push(`${name}=${values(name)}`);
}

function checkHead(client: Bag, { head, fields }: ReceivedResponse, fails: string[]): void {
  if (client['no_bare_cr'] === true && /\r(?!\n)/.test(head)) fails.push('bare CR to client');
  const never = maybe(client, 'no_octet_in_head');
  if (never !== undefined && head.includes(never)) fails.push('octet to client');
  if (client['no_fold'] === true && /\n[ \t]/.test(head)) fails.push('fold to client');
  if (client['no_ws_colon'] === true && /^(?:X-A|Content-Length)[^:\r\n]*[ \t]:/im.test(head))
    fails.push('ws-colon to client');
  if (client['no_colonless'] === true && fields.some(([name]) => name === '')) fails.push('colonless to client');
}

import { allowedStatuses, type RequestObservation } from './case-run.ts';
import { type Bag, bag, inner, maybe, type RequestCase, text, texts } from './http-case.ts';
import { type ReceivedRequest, valuesOf } from './request-record.ts';
import { isInterim } from './response-record.ts';

/**
 * Codes of everything that is not as a request case expects; empty when all is well. The text before `=` is the code
 * that `tolerated` names. `CANARY` means that a smuggled request reached the node.
 */
export function judgeRequest(one: RequestCase, seen: RequestObservation): string[] {
  const fails: string[] = [];
  const upstream = inner(one.expect, 'upstream');
  const complete = seen.requests.filter(({ isComplete }) => isComplete);
  const finals = seen.responses.filter((response) => !isInterim(response));
  const status = finals.find((response) => response.status > 0)?.status;
  const statuses = allowedStatuses(one.expect);

  if (hasCanary(one, upstream, seen)) fails.push('CANARY');
  const faults = new Set(seen.requests.flatMap((request) => request.faults));
  if (seen.rest !== '') faults.add('trailing-octets');
  if (one.verdict !== 'close') for (const fault of faults) fails.push(`DIRTY:${fault}`);
  if (one.more['needs_100'] === true && !seen.sawContinue) fails.push('no 100');
  if (one.more['no_1xx'] === true && seen.responses.some(isInterim)) fails.push('1xx sent');

  const checkStatus = (): void => {
    if (status === undefined) {
      if (!seen.hasEnded) fails.push('no answer, still open');
    } else if (statuses.length > 0 && !statuses.includes(status)) fails.push(`status=${status}`);
  };
  switch (one.verdict) {
    case 'reject':
      if (complete.length > 0) fails.push('forwarded');
      else {
        if (one.expect['stage'] === 'head' && seen.requests.length > 0) fails.push('head forwarded');
        checkStatus();
      }
      break;
    case 'forward':
      if (complete.length === 0) fails.push(`reject ${status ?? ''}`);
      else {
        checkForwarded(one, upstream, complete, seen, fails);
        checkStatus();
      }
      break;
    case 'close':
      if (complete.length > 0) fails.push('forwarded');
      if (!seen.hasEnded && (status ?? 0) < 400) fails.push('open');
      break;
    default:
      if (complete.length > 0) checkForwarded(one, upstream, complete, seen, fails);
      else if (status === undefined ? !seen.hasEnded : status < 400 && !statuses.includes(status))
        fails.push('no answer, still open');
  }
  if (one.expect['connection'] === 'close' && one.verdict !== 'close' && !seen.hasEnded)
    fails.push('connection kept open');
  return fails;
}

/** What the proxy did with the request. */
export function choiceOfRequest({ requests }: RequestObservation): 'forward' | 'reject' {
  return requests.some(({ isComplete }) => isComplete) ? 'forward' : 'reject';
}

function hasCanary(one: RequestCase, upstream: Bag, { requests }: RequestObservation): boolean {
  if (one.more['canary_is_pipelined'] === true || texts(upstream, 'targets')?.includes('/canary')) return false;
  return requests.some(({ target }) => target === '/canary');
}

function checkForwarded(
  one: RequestCase,
  upstream: Bag,
  complete: readonly ReceivedRequest[],
  seen: RequestObservation,
  fails: string[],
): void {
  const [first] = complete;
  if (!first) return;
  checkTargets(one, upstream, complete, fails);
  checkMessage(upstream, first, fails);
  checkFraming(upstream, first, fails);
  checkFields(upstream, first, fails);
  checkHost(upstream, first, fails);
  checkIdentity(upstream, first, fails);
  const tunnelIn = maybe(upstream, 'tunnel_in');
  if (tunnelIn !== undefined && !seen.tunnel.includes(tunnelIn)) fails.push(`tunnel=${seen.tunnel}`);
  const tunnelOut = maybe(one.more, 'tunnel_out');
  if (tunnelOut !== undefined && !seen.received.includes(tunnelOut)) fails.push('tunnel_out missing');
}

function checkTargets(one: RequestCase, upstream: Bag, complete: readonly ReceivedRequest[], fails: string[]): void {
  const targets = complete.map(({ target }) => target);
  const range = one.more['complete_range'];
  const count = Number(upstream['complete'] ?? 1);
  const [lowest, highest] = Array.isArray(range) ? range.map(Number) : [count, count];
  if (complete.length < lowest! || complete.length > highest!) fails.push(`complete=${complete.length}`);
  const exact = texts(upstream, 'targets');
  if (exact && range === undefined && exact.join(' ') !== targets.join(' ')) fails.push(`targets=${targets}`);
  const subset = texts(upstream, 'targets_subset');
  for (const target of targets) if (subset && !subset.includes(target)) fails.push(`target=${target}`);
  const prefix = texts(upstream, 'targets_prefix');
  targets.forEach((target, i) => {
    if (prefix && target !== prefix[i]) fails.push(`target${i}=${target}`);
  });
}

function checkMessage(upstream: Bag, request: ReceivedRequest, fails: string[]): void {
  const oneOf = (key: string, value: string, code: string): void => {
    const allowed = texts(upstream, `${key}_in`) ?? (upstream[key] === undefined ? undefined : [text(upstream, key)]);
    if (allowed && !allowed.includes(value)) fails.push(`${code}=${value}`);
  };
  oneOf('method', request.method, 'method');
  oneOf('target', request.target, 'target');
  oneOf('version', request.version, 'version');
  const body = maybe(upstream, 'body');
  if (body !== undefined && request.body !== body) fails.push(`body=${request.body.slice(0, 60)}`);
  if (upstream['body_len'] !== undefined && request.body.length !== upstream['body_len'])
    fails.push(`body_len=${request.body.length}`);
}

function checkFraming(upstream: Bag, { fields }: ReceivedRequest, fails: string[]): void {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  const isChunked = /chunked/i.test(codings.join());
  if (upstream['single_cl'] === true && !isChunked && !(lengths.length === 1 && /^[0-9]+$/.test(lengths[0]!)))
    fails.push(`cl=${lengths}`);
  if ((upstream['no_cl'] === true || upstream['no_both'] === true) && lengths.length > 0 && codings.length > 0)
    fails.push('TE and CL forwarded');
  if (upstream['headers_absent_unless_chunked'] === true && codings.length > 0 && !isChunked)
    fails.push(`te=${codings}`);
  const trailerLength = maybe(upstream, 'no_cl_value');
  if (trailerLength !== undefined && lengths.includes(trailerLength)) fails.push('trailer CL merged');
}

function checkFields(upstream: Bag, { fields }: ReceivedRequest, fails: string[]): void {
  for (const name of texts(upstream, 'headers_absent') ?? [])
    if (valuesOf(fields, name).length > 0) fails.push(`${name} present`);
  for (const name of texts(upstream, 'has') ?? []) if (valuesOf(fields, name).length === 0) fails.push(`${name} lost`);
  for (const [name, value] of Object.entries(inner(upstream, 'headers_equal')))
    if (valuesOf(fields, name).join(', ') !== value) fails.push(`${name}=${valuesOf(fields, name)}`);
  for (const [name, value] of Object.entries(inner(upstream, 'headers_not')))
    if (valuesOf(fields, name).includes(String(value))) fails.push(`${name}=${String(value)}`);
  if (upstream['joined'] !== undefined) {
    const joined = bag(upstream['joined'], 'joined');
    const value = valuesOf(fields, text(joined, 'name')).join(', ');
    if (value !== joined['value']) fails.push(`${text(joined, 'name')}=${value}`);
  }
  if (upstream['header_count'] !== undefined) {
    const counted = bag(upstream['header_count'], 'header_count');
    const count = valuesOf(fields, text(counted, 'name')).join(',').split(',').length;
    if (count !== counted['values']) fails.push(`${text(counted, 'name')} x${count}`);
  }
  const codings = valuesOf(fields, 'te').join();
  if (upstream['te_only_trailers'] === true && codings !== '' && codings !== 'trailers') fails.push(`te=${codings}`);
  const upgrades = valuesOf(fields, 'upgrade').join().toLowerCase();
  const upgrade = maybe(upstream, 'upgrade');
  if (upgrade !== undefined && upgrades !== upgrade) fails.push(`upgrade=${upgrades}`);
  const allowed = upstream['upgrade_in'];
  if (Array.isArray(allowed) && !allowed.includes(upgrades === '' ? null : upgrades)) fails.push(`upgrade=${upgrades}`);
}

function checkHost(upstream: Bag, { fields }: ReceivedRequest, fails: string[]): void {
  const hosts = valuesOf(fields, 'host');
  const host = hosts.join();
  const exact = texts(upstream, 'host_in') ?? (upstream['host'] === undefined ? undefined : [text(upstream, 'host')]);
  const anyCase = maybe(upstream, 'host_ci');
  const never = maybe(upstream, 'host_not');
  if (exact && !exact.includes(host)) fails.push(`host=${host}`);
  if (anyCase !== undefined && host.toLowerCase() !== anyCase) fails.push(`host=${host}`);
  if (never !== undefined && hosts.includes(never)) fails.push(`host=${host}`);
}

function checkIdentity(upstream: Bag, { fields }: ReceivedRequest, fails: string[]): void {
  const chain = valuesOf(fields, 'x-forwarded-for').join(', ');
  if (upstream['xff_last_is_peer'] === true && chain.split(',').at(-1)!.trim() !== '127.0.0.1')
    fails.push(`xff=${chain}`);
  const never = maybe(upstream, 'forwarded_last_not');
  const forwarded = valuesOf(fields, 'forwarded').join(',');
  if (never !== undefined && forwarded.split(',').at(-1)!.includes(never)) fails.push(`forwarded=${forwarded}`);
}

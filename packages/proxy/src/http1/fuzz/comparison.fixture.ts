/** The allowed differences between our parsers and Node's: in what we refuse, never in what we accept. */
import { FIELD, type FieldKind, requestField, responseField } from '../field-names.ts';
import { isRemovable } from '../field-rules.ts';
import { asciiOctets } from '../octets.ts';
import { normalLine, type ReadRequest } from '../request-reader.fixture.ts';
import type { NodeMessage, NodeReading } from './node-parser.fixture.ts';
import type { ReadResponse } from './response-reader.fixture.ts';

function linesOf({ fields }: NodeMessage): string[] {
  const lines: string[] = [];
  for (let i = 0; i < fields.length; i += 2) lines.push(normalLine(`${fields[i]}: ${fields[i + 1]}`));
  return lines;
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':'));
}

function lowerName(line: string): string {
  return nameOf(line).toLowerCase() + line.slice(line.indexOf(':'));
}

/** The `lines` that are forwarded unchanged: of a kind that `isForwarded` accepts, and not named by `Connection`. */
function forwardedOf(lines: readonly string[], isForwarded: (name: string) => boolean): string[] {
  const nominated = new Set<string>();
  for (const line of lines)
    if (nameOf(line).toLowerCase() === 'connection')
      for (const name of line.slice(11).split(',')) nominated.add(name.trim().toLowerCase());
  return lines.filter((line) => {
    const name = nameOf(line).toLowerCase();
    return isForwarded(name) && !(nominated.has(name) && isRemovable(name));
  });
}

function kindOf(find: (octets: Uint8Array, start: number, end: number) => FieldKind, name: string): FieldKind {
  return find(asciiOctets(name), 0, name.length);
}

/** A sentence about a difference between the two results for requests; `''` without one. */
export function requestDifference(ours: readonly ReadRequest[], node: NodeReading): string {
  for (const [i, mine] of ours.entries()) {
    const its = node.messages[i];
    // Node's parser applies a `Connection` in a trailer section, against RFC 9110 §6.5.1. Ours continues.
    if (!its && ours[i - 1]?.bodyLength === -1 && node.error === 'HPE_CLOSED_CONNECTION') return '';
    if (!its) return `request ${i} is accepted by us only (${node.error})`;
    if (mine.method !== its.method) return `method ${mine.method} and ${its.method}`;
    if (mine.version !== its.version) return `version ${mine.version} and ${its.version}`;
    if (!isSameTarget(mine, its.target)) return `target ${mine.target} and ${its.target}`;
    const lines = linesOf(its);
    const expected = forwardedOf(lines, (name) => {
      const kind = kindOf(requestField, name);
      return (
        kind === FIELD.OTHER ||
        kind === FIELD.AUTHENTICATION ||
        (kind === FIELD.MAX_FORWARDS && mine.method !== 'OPTIONS')
      );
    });
    if (mine.fields.join('\n') !== expected.join('\n'))
      return `fields ${JSON.stringify(mine.fields)} and ${JSON.stringify(expected)}`;
    const length = lines.find((line) => nameOf(line).toLowerCase() === 'content-length');
    const isChunked = lines.some((line) => nameOf(line).toLowerCase() === 'transfer-encoding');
    const announced = isChunked ? -1 : length === undefined ? 0 : Number(length.slice(15).trim());
    if (mine.bodyLength !== announced) return `length ${mine.bodyLength} and ${announced}`;
    // Node reads nothing behind a request for an upgrade.
    if (its.isUpgrade) return '';
    if (mine.isComplete && !its.isComplete) return `request ${i} is complete for us only (${node.error})`;
    if (mine.isComplete && mine.body !== its.body)
      return `body ${JSON.stringify(mine.body)} and ${JSON.stringify(its.body)}`;
  }
  return '';
}

function isSameTarget({ target, authority }: ReadRequest, its: string): boolean {
  if (its.startsWith('/') || its === '*') return target === its;
  const rest = its.slice(its.indexOf('://') + 3 + authority.length);
  return target === rest || target === `/${rest}` || (target === '*' && rest === '');
}

/** The same for responses to one request. */
export function responseDifference(ours: readonly ReadResponse[], node: NodeReading): string {
  for (const [i, mine] of ours.entries()) {
    const its = node.messages[i];
    // After an interim response that announces a close we still wait for the answer, and then close the connection.
    if (!its && i > 0 && node.error === 'HPE_CLOSED_CONNECTION') return '';
    if (!its) return `response ${i} is accepted by us only (${node.error})`;
    if (mine.status !== its.status) return `status ${mine.status} and ${its.status}`;
    if (mine.reason !== its.reason) return `reason ${JSON.stringify(mine.reason)} and ${JSON.stringify(its.reason)}`;
    if (mine.version !== its.version) return `version ${mine.version} and ${its.version}`;
    const expected = forwardedOf(linesOf(its), (name) => PASSED_ON.has(kindOf(responseField, name)));
    // Names that we write ourselves are in our own spelling.
    if (mine.fields.map(lowerName).join('\n') !== expected.map(lowerName).join('\n'))
      return `fields ${JSON.stringify(mine.fields)} and ${JSON.stringify(expected)}`;
    if (mine.status === 101) return '';
    // RFC 9112 §6.3: these end at the empty line. Node's parser applies a length there; from here on the two differ.
    if (isBodiless(mine.status) && linesOf(its).some((line) => FRAMING.test(line))) return '';
    if (mine.isComplete && !its.isComplete) return `response ${i} is complete for us only (${node.error})`;
    if (mine.isComplete && mine.body !== its.body)
      return `body ${JSON.stringify(mine.body)} and ${JSON.stringify(its.body)}`;
  }
  return '';
}

const FRAMING = /^(?:content-length|transfer-encoding):/i;

function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

const PASSED_ON: ReadonlySet<FieldKind> = new Set([
  FIELD.OTHER,
  FIELD.SET_COOKIE,
  FIELD.LOCATION,
  FIELD.DATE,
  FIELD.AUTHENTICATION,
  FIELD.PERSISTENT_AUTH,
]);

import { requestSentences } from '@rollcall/dashboard';
import { type ExplainAnswer, type ExplainedLimit, MAX_DECISIONS, MAX_DECISIONS_MS } from '@rollcall/feed';
import { printableUrl, TIME_LIMITS } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { explainLive, type LiveFlags } from '../explain-live.ts';
import { table } from '../format.ts';
import { nodeText } from '../node-text.ts';
import { timeLimitText } from '../settings/time-limits.ts';
import { addReaderFlags, clientFor, printJson } from './reader-flags.ts';

interface ExplainFlags extends LiveFlags {
  readonly url?: string;
  readonly cookie?: string;
  readonly live?: boolean;
  readonly request?: string;
}

/** A token of RFC 9110, as the proxy accepts it. */
const REQUEST_ID = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;

/** Flags that are valid with --live only. */
const LIVE_ONLY = ['picks', 'count', 'for'] as const;

/** `rollcall explain`: the routing of one request, of live requests, or the load factor and traffic share of a node. */
export function explainCommand(): Command {
  return addReaderFlags(
    new Command('explain')
      .description('explain the routing of a request, of a past request, or the load of a node')
      .argument('[node]', 'node whose load factor and traffic share are explained'),
  )
    .option('--url <url>', 'URL of the request, e.g. http://shop.example/cart (default: http://localhost/)')
    .option('--cookie <value>', 'Cookie field of the request; - reads it from standard input')
    .option('--request <id>', 'past request by its id, from X-Request-Id, an error page or the access log')
    .option('--live', 'print routing decisions as they are made')
    .option('--picks', 'with --live: only choices of an algorithm, without requests that follow their session')
    .option('--count <n>', `with --live: most requests to print, 1 to ${MAX_DECISIONS}`, '20')
    .option('--for <duration>', `with --live: time to watch, ${MAX_DECISIONS_MS / 1_000}s at most`, '5s')
    .action(async (node: string | undefined, flags: ExplainFlags, command: Command) => {
      const live = LIVE_ONLY.find((name) => command.getOptionValueSource(name) === 'cli');
      if (live !== undefined && !flags.live) throw new CliFailure(`--${live} needs --live`, EXIT.usage);
      if (flags.request !== undefined) {
        if (node !== undefined || flags.live || flags.url !== undefined || flags.cookie !== undefined)
          throw new CliFailure('--request excludes a node id, --url, --cookie and --live', EXIT.usage);
        await explainPast(flags.request, flags);
      } else if (flags.live) {
        if (node !== undefined) throw new CliFailure('--live and a node id exclude each other', EXIT.usage);
        await explainLive(flags);
      } else if (node === undefined) await explainRequest(flags);
      else if (flags.url !== undefined || flags.cookie !== undefined)
        throw new CliFailure('a node id excludes --url and --cookie', EXIT.usage);
      else await explainNode(node, flags);
    });
}

async function explainPast(requestId: string, flags: ExplainFlags): Promise<void> {
  if (!REQUEST_ID.test(requestId))
    throw new CliFailure(
      `--request ${JSON.stringify(requestId.slice(0, 128))} is no request id: it has 1 to 128 characters, without spaces`,
      EXIT.usage,
    );
  const client = await clientFor(flags);
  const past = await client.call('getPastDecision', { path: { requestId } });
  if (flags.json) {
    printJson(past);
    return;
  }
  const { method, host, path, atUnixMs } = past.decision;
  const what = method === '' ? 'a request that could not be read' : `${method} ${host}${path}`;
  const lines = requestSentences(past).map((sentence) => `  ${sentence}`);
  process.stdout.write(`${[`${new Date(atUnixMs).toISOString()}  ${what}`, ...lines].join('\n')}\n`);
}

async function explainNode(node: string, flags: ExplainFlags): Promise<void> {
  const client = await clientFor(flags);
  const explanation = await client.call('explainNode', { path: { id: node } });
  if (flags.json) printJson(explanation);
  else process.stdout.write(`${nodeText(explanation)}\n`);
}

async function explainRequest({ url: text = 'http://localhost/', ...flags }: ExplainFlags): Promise<void> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new CliFailure(
      `--url ${printableUrl(text)} is not an address: write an address like http://shop.example/cart`,
      EXIT.usage,
    );
  const cookie = flags.cookie === '-' ? await standardInput() : flags.cookie;
  const client = await clientFor(flags);
  const answer = await client.call('explainRequest', {
    body: { host: url.hostname, target: url.pathname + url.search, ...(cookie ? { cookie } : {}) },
  });
  if (flags.json) printJson(answer);
  else process.stdout.write(`${explainText(answer)}\n`);
}

function explainText(answer: ExplainAnswer): string {
  const lines = [answer.because];
  const { balancer, context, contextHost = '*' } = answer;
  if (contextHost !== '*') lines.push(`context ${context} on ${contextHost} of balancer ${balancer}`);
  if (answer.candidates.length > 0) {
    const rows = answer.candidates.map(({ id, isEligible, reason, score }) => [
      id === answer.chosen ? `* ${id}` : `  ${id}`,
      isEligible ? 'yes' : 'no',
      score === undefined ? '' : score.toPrecision(3),
      reason,
    ]);
    if (rows.some(([, , score]) => score !== '')) lines.push('* is the chosen node: the one with the lowest score');
    lines.push(table(...withoutEmpty(['  NODE', 'ELIGIBLE', 'SCORE', 'REASON'], rows)));
  }
  if (answer.limits !== undefined) lines.push('', limitTable(answer.limits, answer.balancer ?? ''));
  return lines.join('\n');
}

/** Headings and rows without the columns that are empty in every row. */
function withoutEmpty(headings: readonly string[], rows: readonly (readonly string[])[]): [string[], string[][]] {
  const isFilled = headings.map((_, column) => rows.some((row) => row[column] !== ''));
  return [headings.filter((_, i) => isFilled[i]), rows.map((row) => row.filter((_, i) => isFilled[i]))];
}

/** The time limits of the request, and where each is set. */
function limitTable(limits: readonly ExplainedLimit[], balancer: string): string {
  const rows = limits.map(({ key, value, from, path = '' }) => [
    TIME_LIMITS[key].name,
    timeLimitText(value),
    from === 'path' ? `path ${path}` : from === 'balancer' ? `balancer ${balancer}` : 'proxy',
  ]);
  return table(['LIMIT', 'VALUE', 'FROM'], rows);
}

async function standardInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  return text.trim();
}

import {
  type ExplainAnswer,
  MAX_DECISIONS,
  MAX_DECISIONS_MS,
  type NodeExplanation,
  printableUrl,
} from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { explainLive, type LiveFlags } from '../explain-live.ts';
import { table } from '../format.ts';
import { nodeText } from '../node-text.ts';
import { addReaderFlags, clientFor, printJson } from './reader-flags.ts';

interface ExplainFlags extends LiveFlags {
  readonly url?: string;
  readonly cookie?: string;
  readonly live?: boolean;
}

/** Flags of --live alone. */
const LIVE_ONLY = ['picks', 'count', 'for'] as const;

/** `rollcall explain`: where a request would go, where requests go now, or why a node has the traffic it has. */
export function explainCommand(): Command {
  return addReaderFlags(
    new Command('explain')
      .description('say where a request would go and why, or why a node is as loaded as it is')
      .argument('[node]', 'why its load factor and its part of the traffic are what they are'),
  )
    .option('--url <url>', 'the request, e.g. http://shop.example/cart (default: http://localhost/)')
    .option('--cookie <value>', 'its Cookie field; - reads it from standard input')
    .option('--live', 'what the proxy chooses from now on, as it does')
    .option('--picks', 'with --live: only choices of an algorithm, not requests that go where their session is')
    .option('--count <n>', `with --live: at most so many, 1 to ${MAX_DECISIONS}`, '20')
    .option('--for <duration>', `with --live: for so long, ${MAX_DECISIONS_MS / 1_000}s at most`, '5s')
    .action(async (node: string | undefined, flags: ExplainFlags, command: Command) => {
      const live = LIVE_ONLY.find((name) => command.getOptionValueSource(name) === 'cli');
      if (live !== undefined && !flags.live) throw new CliFailure(`--${live} goes with --live`, EXIT.usage);
      if (flags.live) {
        if (node !== undefined)
          throw new CliFailure('--live shows the choices among all nodes: leave the node out', EXIT.usage);
        await explainLive(flags);
      } else if (node === undefined) await explainRequest(flags);
      else if (flags.url !== undefined || flags.cookie !== undefined)
        throw new CliFailure('a node is explained without --url and --cookie', EXIT.usage);
      else await explainNode(node, flags);
    });
}

async function explainNode(node: string, flags: ExplainFlags): Promise<void> {
  const client = await clientFor(flags);
  const explanation = await client.get<NodeExplanation>(`/v1/nodes/${encodeURIComponent(node)}/explain`);
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
  const answer = await client.send<ExplainAnswer>('POST', '/v1/explain', {
    host: url.hostname,
    target: url.pathname + url.search,
    ...(cookie ? { cookie } : {}),
  });
  if (flags.json) printJson(answer);
  else process.stdout.write(`${explainText(answer)}\n`);
}

function explainText(answer: ExplainAnswer): string {
  const lines = [answer.because];
  if (answer.candidates.length > 0) {
    const rows = answer.candidates.map(({ id, isEligible, reason, score }) => [
      id === answer.chosen ? `* ${id}` : `  ${id}`,
      isEligible ? 'yes' : 'no',
      score === undefined ? '' : score.toPrecision(3),
      reason,
    ]);
    lines.push(table(['  NODE', 'ELIGIBLE', 'SCORE', 'REASON'], rows));
  }
  return lines.join('\n');
}

async function standardInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  return text.trim();
}

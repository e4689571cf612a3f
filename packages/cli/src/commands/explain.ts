import type { ExplainAnswer } from '@rollcall/protocol';
import { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';
import { table } from '../format.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

interface ExplainFlags extends ReaderFlags {
  readonly url: string;
  readonly cookie?: string;
}

/** `rollcall explain`: where a request would go, and why. */
export function explainCommand(): Command {
  return addReaderFlags(new Command('explain').description('say where a request would go, and why'))
    .option('--url <url>', 'the request, e.g. http://shop.example/cart', 'http://localhost/')
    .option('--cookie <value>', 'its Cookie field; - reads it from standard input')
    .action(async (flags: ExplainFlags) => {
      if (!URL.canParse(flags.url))
        throw new CliFailure(`--url ${flags.url} is not an address like http://shop.example/cart`, EXIT.usage);
      const url = new URL(flags.url);
      const cookie = flags.cookie === '-' ? await standardInput() : flags.cookie;
      const client = await clientFor(flags);
      const answer = await client.send<ExplainAnswer>('POST', '/v1/explain', {
        host: url.hostname,
        target: url.pathname + url.search,
        ...(cookie ? { cookie } : {}),
      });
      if (flags.json) printJson(answer);
      else process.stdout.write(`${explainText(answer)}\n`);
    });
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

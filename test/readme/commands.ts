/**
 * The commands of a page: the lines of its ```sh blocks, in order. Other blocks (```console, ```text, …) are not commands: they
 * show output, or have placeholders.
 */

export interface PageCommand {
  readonly text: string;
  /** Line of the page, from 1. */
  readonly line: number;
  /**
   * `once`: ends by itself. `cluster`: a coordinator with its proxy, runs until Ctrl-C. `node`: adds a node and runs
   * until Ctrl-C. `elsewhere`: an npm script or tool that runs this very test, or that other tests are about.
   */
  readonly kind: 'once' | 'cluster' | 'node' | 'elsewhere';
}

const KINDS: readonly (readonly [RegExp, PageCommand['kind']])[] = [
  [/^(?:npm test|npm run [a-z:]+|\.ci\/run|git clone|cd|docker)\b/, 'elsewhere'],
  [/^(?:npm start|(?:npx )?rollcall (?:demo|up))\b/, 'cluster'],
  [/^(?:npx )?rollcall (?:run|join)\b/, 'node'],
];

/** All commands of a Markdown page. A line with a `\` at its end continues in the next line; lines that begin with `#` are skipped. */
export function commandsOf(markdown: string): readonly PageCommand[] {
  const commands: PageCommand[] = [];
  let isShell = false;
  let begun: { text: string; line: number } | undefined;
  for (const [index, raw] of markdown.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(raw);
    if (fence) {
      isShell = !isShell && fence[1] === 'sh';
      continue;
    }
    const text = raw.trim();
    if (!isShell || (!begun && (text === '' || text.startsWith('#')))) continue;
    const whole = begun ? `${begun.text} ${text}` : text;
    const line = begun?.line ?? index + 1;
    begun = whole.endsWith('\\') ? { text: whole.slice(0, -1).trim(), line } : undefined;
    if (!begun) commands.push({ text: whole, line, kind: kindOf(whole) });
  }
  return commands;
}

/** Variables before a command (`A=b rollcall up`) do not change what it is. */
function kindOf(text: string): PageCommand['kind'] {
  const program = text.replace(/^(?:[A-Z_]+=\S* +)+/, '');
  return KINDS.find(([pattern]) => pattern.test(program))?.[1] ?? 'once';
}

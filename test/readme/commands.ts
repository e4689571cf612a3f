/**
 * The commands that a page tells its readers to type: the lines of its ```sh blocks, in their order. Other blocks
 * (```console, ```text, …) show output or need something filled in; they are not commands.
 */

export interface PageCommand {
  readonly text: string;
  /** Line of the page, from 1. */
  readonly line: number;
  /**
   * `once`: ends by itself. `cluster`: a coordinator with its proxy, goes on until Ctrl-C. `node`: adds a node and goes on
   * until Ctrl-C. `elsewhere`: an npm script or tool that runs this very test, or that other tests are about.
   */
  readonly kind: 'once' | 'cluster' | 'node' | 'elsewhere';
}

const KINDS: readonly (readonly [RegExp, PageCommand['kind']])[] = [
  [/^(?:npm test|npm run [a-z:]+|\.ci\/run|git clone|cd|docker)\b/, 'elsewhere'],
  [/^(?:npm start|(?:npx )?rollcall (?:demo|up))\b/, 'cluster'],
  [/^(?:npx )?rollcall (?:run|join)\b/, 'node'],
];

/** All commands of a Markdown page. A `\` at the end of a line goes on in the next; lines that begin with `#` are skipped. */
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

/** Links, headings and commands of Markdown pages, without I/O. */

export interface Link {
  /** Line of the page, from 1. */
  readonly line: number;
  readonly target: string;
}

/** A command line that starts `rollcall`, in words. */
export interface Invocation {
  readonly line: number;
  readonly verb: string;
  /** Words after the verb, up to `--`. */
  readonly words: readonly string[];
}

/** Targets of all links and images outside of code, in order. */
export function linksOf(markdown: string): readonly Link[] {
  return prose(markdown).flatMap(({ line, text }) =>
    [...text.replaceAll(/`[^`]*`/g, '`').matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)].map(([, target]) => ({
      line,
      target: target!,
    })),
  );
}

/** Anchors of all headings, as GitHub makes them. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const { text } of prose(markdown)) {
    const [, heading] = /^#{1,6} (.*)$/.exec(text) ?? [];
    if (heading === undefined) continue;
    const plain = heading.replaceAll(/\]\([^)]*\)|[^\p{L}\p{N}\s_-]/gu, '');
    const anchor = plain.trim().toLowerCase().replaceAll(/\s/g, '-');
    let unique = anchor;
    for (let i = 1; anchors.has(unique); i++) unique = `${anchor}-${i}`;
    anchors.add(unique);
  }
  return anchors;
}

/**
 * Commands of `rollcall` in inline code and in code blocks. In blocks a `\` at the end of a line joins it with the next. Of `console`
 * blocks only lines that begin with `$` are commands. Blocks of `text`, `json` and of no language have none.
 */
export function invocationsOf(markdown: string): readonly Invocation[] {
  const found: Invocation[] = [];
  let language: string | undefined;
  let begun: { readonly line: number; readonly text: string } | undefined;
  for (const [index, row] of markdown.split('\n').entries()) {
    const [, fence] = /^\s*```(\S*)/.exec(row) ?? [];
    if (fence !== undefined) {
      language = language === undefined ? fence : undefined;
      begun = undefined;
      continue;
    }
    if (language === undefined) {
      for (const [, code] of row.matchAll(/`([^`]+)`/g)) found.push(...invocationsIn(code!, index + 1));
      continue;
    }
    if (!COMMAND_BLOCKS.has(language)) continue;
    const isCommand = language !== 'console' || begun !== undefined || /^\s*\$ /.test(row);
    if (!isCommand) continue;
    const text = begun === undefined ? row.replace(/^\s*\$ /, '') : `${begun.text} ${row.trim()}`;
    const line = begun?.line ?? index + 1;
    begun = text.endsWith('\\') ? { line, text: text.slice(0, -1).trim() } : undefined;
    if (begun === undefined) found.push(...invocationsIn(text, line));
  }
  return found;
}

const COMMAND_BLOCKS: ReadonlySet<string> = new Set(['sh', 'console', 'ini', 'dockerfile', 'yaml', 'logrotate']);

function invocationsIn(text: string, line: number): Invocation[] {
  const words = text
    .replace(/(?:^|\s)#.*$/, '')
    .replaceAll(/["',[\]]+/g, ' ')
    .replaceAll(/\$\(|[()]/g, ' ')
    .split(/\s+/);
  return words.flatMap((word, i) => {
    const verb = words[i + 1] ?? '';
    if (!/(?:^|\/)rollcall$/.test(word) || !/^[a-z][a-z-]*$/.test(verb) || verb === 'rollcall') return [];
    const rest = words.slice(i + 2);
    const end = rest.findIndex((next) => next === '--' || /^(?:[|&;>]|&&|\|\|)/.test(next));
    return [{ line, verb, words: end === -1 ? rest : rest.slice(0, end) }];
  });
}

/** Lines outside of code blocks. */
function prose(markdown: string): { readonly line: number; readonly text: string }[] {
  let isCode = false;
  return markdown.split('\n').flatMap((text, index) => {
    const isFence = /^\s*(?:```|~~~)/.test(text);
    if (isFence) isCode = !isCode;
    return isFence || isCode ? [] : [{ line: index + 1, text }];
  });
}

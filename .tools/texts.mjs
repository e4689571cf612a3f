/**
 * Extracts the texts of a file: comments, literals and prose, without identifiers. Each text is `{ line, kind, text }`: the number of its
 * first line, and `prose` (comments, Markdown) or `string` (literals, code blocks). `CODE` replaces inline code; line ends are kept.
 */

/** Stands for inline code and for `${…}`; counts as one word. */
const CODE = '§';
/** Kinds of files by the end of their path, in order. */
const READERS = [
  [/CHANGELOG\.md$/, (source) => markdownTexts(unreleased(source))],
  [/\.md$/, markdownTexts],
  [/\.(?:tsx?|mjs|cjs|jsx?)$/, codeTexts],
  [/\.json$/, jsonTexts],
  [/\.html$/, htmlTexts],
  [/\.css$/, cssTexts],
  [/(?:\.ya?ml|\.grit|Dockerfile|\.ci\/run)$/, hashTexts],
];

/** The texts of the file `path` with this content; `undefined` for a kind of file that has none. */
export function textsOf(path, source) {
  const [, read] = READERS.find(([pattern]) => pattern.test(path)) ?? [];
  return read?.(source).map(({ text, ...rest }) => ({ ...rest, text: withoutCode(text) }));
}

/** Comments and literals of a TypeScript or JavaScript file. A literal without a space is a value, not a text. */
export function codeTexts(source) {
  const texts = [];
  let line = 1;
  let at = 0;
  /** Whether a `/` begins a regular expression: after an operator, a bracket that opens, or a keyword. */
  let isOperandNext = true;
  const lineComments = { next: -1, text: undefined };
  const take = (end) => {
    const part = source.slice(at, end);
    line += part.split('\n').length - 1;
    at = end;
    return part;
  };
  const addString = (start, text) => {
    if (/\S\s+\S/.test(text)) texts.push({ line: start, kind: 'string', text });
    isOperandNext = false;
  };
  /** Reads to the `}` of `${` or to the end of the file. */
  const readCode = (isInside) => {
    for (let depth = 0; at < source.length; ) {
      const char = source[at];
      const start = line;
      if (source.startsWith('//', at)) {
        const text = take(endOf(source, '\n', at)).slice(2);
        if (lineComments.next === start) lineComments.text.text += `\n${text}`;
        else lineComments.text = added(texts, { line: start, kind: 'prose', text });
        lineComments.next = /^\n[ \t]*\/\//.test(source.slice(at)) ? start + 1 : -1;
      } else if (source.startsWith('/*', at)) {
        const comment = take(endOf(source, '*/', at + 2, 2));
        for (const paragraph of paragraphs(comment.slice(2, -2).replaceAll(/^[ \t]*\*(?!\/)/gm, ''), start))
          texts.push({ ...paragraph, kind: 'prose' });
      } else if (char === "'" || char === '"') addString(start, take(quoteEnd(source, at)).slice(1, -1));
      else if (char === '`') readTemplate();
      else if (char === '/' && isOperandNext) {
        take(regexEnd(source, at));
        isOperandNext = false;
      } else if (/[\w$]/.test(char)) {
        const word = take(at + /^[\w$]+/.exec(source.slice(at, at + 200))[0].length);
        isOperandNext = /^(?:return|typeof|case|in|of|do|else|void|delete|await|yield)$/.test(word);
      } else {
        if (char === '{') depth += 1;
        if (char === '}' && depth-- === 0 && isInside) return;
        if (/\S/.test(char)) isOperandNext = !/[)\]}]/.test(char);
        take(at + 1);
      }
    }
  };
  const readTemplate = () => {
    const start = line;
    let text = '';
    take(at + 1);
    while (at < source.length && source[at] !== '`') {
      if (source[at] === '\\') text += take(at + 2);
      else if (source.startsWith('${', at)) {
        const before = line;
        take(at + 2);
        isOperandNext = true;
        readCode(true);
        take(at + 1);
        text += CODE + '\n'.repeat(line - before);
      } else text += take(at + 1);
    }
    take(at + 1);
    addString(start, text);
  };
  readCode(false);
  return texts;
}

/** Paragraphs, list items, headings and cells as prose; lines of code blocks as strings. Generated parts are checked where they come from. */
function markdownTexts(source) {
  const texts = [];
  let isCode = false;
  let isGenerated = false;
  let current;
  for (const [i, row] of source.split('\n').entries()) {
    if (/^<!-- \/?generated\b/.test(row)) {
      isGenerated = !row.startsWith('<!-- /');
      current = undefined;
    }
    if (isGenerated || row.startsWith('<!-- ')) continue;
    const isFence = /^\s*(?:```|~~~)/.test(row);
    if (isFence) isCode = !isCode;
    if (isFence || row.trim() === '') current = undefined;
    else if (isCode) texts.push({ line: i + 1, kind: 'string', text: row });
    else if (/^\s*\|/.test(row)) {
      current = undefined;
      for (const text of row.split('|')) texts.push({ line: i + 1, kind: 'prose', text });
    } else if (current === undefined || /^\s*(?:[-*+]|\d+\.|#+)\s/.test(row)) {
      const text = row.replace(/^\s*(?:[-*+]|\d+\.|#+)\s/, '');
      current = added(texts, { line: i + 1, kind: 'prose', text });
      if (/^#/.test(row)) current = undefined;
    } else current.text += `\n${row}`;
  }
  return texts;
}

/** The part of a change log that may still change; all other lines are empty. */
function unreleased(source) {
  let isUnreleased = false;
  const rows = source.split('\n').map((row) => {
    if (row.startsWith('## ')) isUnreleased = /unreleased/i.test(row);
    return isUnreleased ? row : '';
  });
  return rows.join('\n');
}

/** Values of the keys that hold text for people. */
function jsonTexts(source) {
  return matches(source, /"(?:description|title|summary|about|\$comment)":\s*"((?:[^"\\]|\\.)*)"/g, 'string');
}

function htmlTexts(source) {
  const blank = (part) => part.replaceAll(/\S/g, ' ');
  const text = source
    .replaceAll(/\b(?:id|class|href|src|rel|type|name|for|content|charset|lang)="[^"]*"/g, blank)
    .replaceAll(/<\/?[\w-]+|>/g, blank);
  return matches(text, /([^\n]+)/g, 'string');
}

function cssTexts(source) {
  return matches(source, /\/\*([\s\S]*?)\*\//g, 'prose');
}

/** Files with `#` comments: the comments as prose, all other lines as strings. */
function hashTexts(source) {
  const texts = [];
  let block;
  for (const [i, row] of source.split('\n').entries()) {
    const [, code, comment] = /^(.*?)(?:(?:^|(?<=\s))#(?!!)(.*))?$/.exec(row);
    if (code.trim() !== '') texts.push({ line: i + 1, kind: 'string', text: code });
    if (comment === undefined || comment.trim() === '') block = undefined;
    else if (block === undefined) block = added(texts, { line: i + 1, kind: 'prose', text: comment });
    else block.text += `\n${comment}`;
  }
  return texts;
}

function matches(source, pattern, kind) {
  return [...source.matchAll(pattern)].map((match) => {
    const start = match.index + match[0].indexOf(match[1]);
    return { line: source.slice(0, start).split('\n').length, kind, text: match[1] };
  });
}

/** The parts of a comment between empty lines; a list item or a tag is one of its own. */
function paragraphs(comment, line) {
  const found = [];
  let current;
  for (const [i, row] of comment.split('\n').entries()) {
    if (row.trim() === '') current = undefined;
    else if (current === undefined || /^\s*(?:[-*]\s|\d+\.\s|@\w)/.test(row))
      current = added(found, { line: line + i, text: row.replace(/^\s*(?:[-*]|\d+\.)\s/, '') });
    else current.text += `\n${row}`;
  }
  return found;
}

/** Appends `text` and returns it, so that the lines that follow can be added to it. */
function added(texts, text) {
  texts.push(text);
  return text;
}

function withoutCode(text) {
  const code = (part) => CODE + '\n'.repeat(part.split('\n').length - 1);
  return text.replaceAll(/\\?`[^`]*`/g, code).replaceAll(/\]\([^)]*\)|https?:\/\/\S+/g, code);
}

function endOf(source, mark, from, length = 0) {
  const found = source.indexOf(mark, from);
  return found === -1 ? source.length : found + length;
}

function quoteEnd(source, start) {
  let at = start + 1;
  while (at < source.length && source[at] !== source[start] && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}

function regexEnd(source, start) {
  let isClass = false;
  let at = start + 1;
  for (; at < source.length && (isClass || source[at] !== '/') && source[at] !== '\n'; at++) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === '[') isClass = true;
    else if (source[at] === ']') isClass = false;
  }
  return at + 1;
}

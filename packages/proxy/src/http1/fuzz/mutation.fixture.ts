import type { Rng } from '@rollcall/core';

/** Texts that parsers have treated in different ways. */
const INTERESTING = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '"',
    '\x0b',
    '\x7f',
    '\x80',
    '\xff',
    '0',
    '1',
    '5',
    '10',
    'a',
    'X',
    '-',
    '+',
  ],
  ...[
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: b\r\n',
    'Connection: close\r\n',
    ' chunked',
    '\r\n\r\n',
    'HTTP/1.1',
    'http://a',
  ],
];

/** `octets` with a small change: an octet, a line, or a part of another input. */
export function mutate(octets: string, others: readonly string[], rng: Rng): string {
  const at = Math.floor(rng() * (octets.length + 1));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng() * list.length)]!;
  switch (Math.floor(rng() * 8)) {
    case 0:
      return octets.slice(0, at) + octets.slice(at + 1);
    case 1:
      return octets.slice(0, at) + pick(INTERESTING) + octets.slice(at);
    case 2:
      return octets.slice(0, at) + String.fromCharCode(Math.floor(rng() * 256)) + octets.slice(at + 1);
    case 3: {
      const lines = octets.split('\r\n');
      lines.splice(Math.floor(rng() * lines.length), 0, pick(lines));
      return lines.join('\r\n');
    }
    case 4: {
      const lines = octets.split('\r\n');
      lines.splice(Math.floor(rng() * lines.length), 1);
      return lines.join('\r\n');
    }
    case 5: {
      const lines = octets.split('\r\n');
      const [moved = ''] = lines.splice(Math.floor(rng() * lines.length), 1);
      lines.splice(Math.floor(rng() * (lines.length + 1)), 0, moved);
      return lines.join('\r\n');
    }
    case 6: {
      const other = pick(others);
      return octets.slice(0, at) + other.slice(Math.floor(rng() * other.length));
    }
    default:
      return octets.slice(0, at) + pick(INTERESTING) + octets.slice(at + 1);
  }
}

/** A tab around these values, which RFC 9110 §5.5 allows. Node 20's parser refuses or does not know it; later ones do. */
export const TAB_AROUND_FRAMING = /^(?:content-length|transfer-encoding|connection):(?:[ ]*\t|[^\r\n]*\t[ \t]*\r\n)/im;

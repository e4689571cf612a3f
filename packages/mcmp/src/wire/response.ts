/** Writes answers as HTTP/1.1. The Java listener needs a length on every answer, and a colon in every field. */
import type { Answer } from '../answers/answer.ts';
import { PROTOCOL_VERSION } from '../answers/answer.ts';
import { METHODS } from '../messages/message.ts';
import type { WireFault } from './request-reader.ts';

const REASONS: Readonly<Record<WireFault['status'] | 501, string>> = {
  400: 'Bad Request',
  411: 'Length Required',
  413: 'Content Too Large',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
};

export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** An answer with its head, as latin1 text. As in httpd, the connection ends after a fault; `isKept`: the client wants it kept. */
export function writeAnswer(answer: Answer, isKept: boolean): string {
  if (answer.type === 'fault') {
    const { kind, mess } = answer;
    const fields = `Version: ${PROTOCOL_VERSION}\r\nType: ${kind}\r\nMess: ${mess.replace(/[^\x20-\x7e\x80-\xff]/g, ' ')}\r\n`;
    return `HTTP/1.1 500 Internal Server Error\r\n${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`;
  }
  const type = answer.body === '' ? '' : `Content-Type: ${answer.isXml ? 'text/xml' : 'text/plain'}\r\n`;
  const connection = isKept ? 'Keep-Alive' : 'close';
  return `HTTP/1.1 200 OK\r\n${type}Content-Length: ${answer.body.length}\r\nConnection: ${connection}\r\n\r\n${answer.body}`;
}

/** The answer to a request that is no HTTP, or that has an unknown method (501). The connection is closed after it. */
export function writeFault(status: WireFault['status'] | 501): string {
  const allow = status === 501 ? `Allow: ${METHODS.join(', ')}\r\n` : '';
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\n${allow}Content-Length: 0\r\nConnection: close\r\n\r\n`;
}

import type { Duplex } from 'node:stream';
import type { Fault } from '@rollcall/protocol';
import { ERROR_CODES } from '@rollcall/protocol';

/** Refuses an upgrade with an HTTP answer and closes. `retryMs`: delay of the retry, if the code has a `Retry-After`. */
export function refuseUpgrade(socket: Duplex, { code, message }: Fault, retryMs = 1_000): void {
  const status = ERROR_CODES[code].http;
  const body = JSON.stringify({ type: 'about:blank', title: ERROR_CODES[code].means, status, code, detail: message });
  const retry = status === 429 || status === 503 ? `Retry-After: ${Math.ceil(retryMs / 1_000)}\r\n` : '';
  const challenge = status === 401 ? 'WWW-Authenticate: Bearer\r\n' : '';
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/problem+json\r\n${retry}${challenge}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

import http from 'node:http';
import https from 'node:https';

const PATIENCE_MS = 2_000;

/** Status of `GET /` at a port of the loopback interface; `undefined` without a response in time. */
export function statusOf(port: number, isTls: boolean): Promise<number | undefined> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, agent: false, timeout: PATIENCE_MS, rejectUnauthorized: false } as const;
    const request = (isTls ? https : http).get(options, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
      response.once('error', () => resolve(undefined));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(undefined));
  });
}

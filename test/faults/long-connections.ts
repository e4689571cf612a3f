/**
 * WebSockets and an upload that are open when a fault begins. They belong to residents of the failing node and must
 * survive the fault.
 */
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { NodeAnswer } from './programs/sample-answer.ts';

const TUNNELS = 4;
const MESSAGE_EVERY_MS = 500;
/** Limit for the last echoes. */
const LAST_WAIT_MS = 20_000;
/** The sample node takes 64 KiB each 100 ms: about 8 s. */
const UPLOAD_BYTES = 5 * 1024 * 1024;

export interface LongConnections {
  /** Closes them. Resolves with one sentence for each that broke; empty when all survived. */
  end(): Promise<readonly string[]>;
}

/** Opens tunnels and begins an upload with these cookies. Resolves when the tunnels are open. */
export async function openLongConnections(port: number, cookies: readonly string[]): Promise<LongConnections> {
  const tunnels = cookies.slice(0, TUNNELS).map((cookie) => new Tunnel(port, cookie));
  await Promise.all(tunnels.map((tunnel) => tunnel.opened));
  const upload = uploadBroke(port, cookies[0] ?? '');
  return {
    end: async () => {
      const broken = await Promise.all([...tunnels.map((tunnel) => tunnel.end()), upload]);
      return broken.filter((sentence) => sentence !== undefined);
    },
  };
}

class Tunnel {
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  #sent = 0;
  #echoed = 0;
  #broken: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number, cookie: string) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, { headers: { cookie, host: 'site.test' } });
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('open', resolve);
      this.#socket.once('error', reject);
    });
    this.#socket.on('open', () => {
      this.#timer = setInterval(() => this.#socket.send(String(this.#sent++)), MESSAGE_EVERY_MS);
    });
    this.#socket.on('error', (error) => {
      this.#broken ??= `tunnel broke: ${error.message}`;
    });
    this.#socket.on('close', (code) => {
      this.#broken ??= `tunnel closed with ${code}`;
      clearInterval(this.#timer);
    });
    this.#socket.on('message', (data) => {
      if (String(data) !== String(this.#echoed++)) this.#broken ??= `tunnel echoed ${String(data)} out of order`;
    });
  }

  async end(): Promise<string | undefined> {
    clearInterval(this.#timer);
    const endMs = performance.now() + LAST_WAIT_MS;
    while (this.#broken === undefined && this.#echoed < this.#sent) {
      if (performance.now() > endMs) return `tunnel echoed ${this.#echoed} of ${this.#sent} messages`;
      await pause(50);
    }
    const broken = this.#broken;
    this.#broken ??= '';
    this.#socket.terminate();
    return broken;
  }
}

/** Sends a large body. Resolves with the reason of a failure, `undefined` after a correct answer. */
function uploadBroke(port: number, cookie: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/upload',
      agent: false,
      headers: {
        host: 'site.test',
        cookie,
        'content-length': UPLOAD_BYTES,
        'content-type': 'application/octet-stream',
      },
    });
    request.on('error', (error) => resolve(`upload broke: ${error.message}`));
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += String(chunk);
      });
      response.on('end', () => {
        if (response.statusCode !== 200) resolve(`upload got status ${response.statusCode}`);
        else {
          const { bytes } = JSON.parse(text) as NodeAnswer;
          resolve(bytes === UPLOAD_BYTES ? undefined : `upload arrived with ${bytes} octets`);
        }
      });
      response.on('error', (error) => resolve(`answer to the upload broke: ${error.message}`));
    });
    request.end(Buffer.alloc(UPLOAD_BYTES, 'u'));
  });
}

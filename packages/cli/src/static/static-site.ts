/**
 * Files of a directory over HTTP, for `up --static /files=DIR`. A separate server, registered as a node of its own balancer,
 * so that the worker never waits for a disk. `send` handles ranges, conditions and types; this module decides which files
 * are served.
 */
import { realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sep } from 'node:path';
import send from 'send';

export interface StaticSite {
  /** Context of the files. */
  readonly context: string;
  /** Directory of the files. */
  readonly directory: string;
}

/** Answers GET and HEAD below `context`: 404 for hidden files, for directories without index.html, and for links that point outside. */
export async function answerFile(
  { context, directory }: StaticSite,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end();
    return;
  }
  const [path = '/', query] = (request.url ?? '/').split(/(?=\?)/, 2);
  if (path === context && context !== '/') {
    response.writeHead(301, { location: `${context}/${query ?? ''}`, 'content-length': 0 }).end();
    return;
  }
  const below = context === '/' ? path : path.slice(context.length);
  if (!(await staysWithin(directory, below))) {
    answerStatus(response, 404);
    return;
  }
  send(request, below, { root: directory, dotfiles: 'ignore', index: 'index.html', maxAge: 0 })
    .on('directory', () => answerStatus(response, 404))
    .on('error', (error: { status?: number }) => answerStatus(response, error.status ?? 500))
    .pipe(response);
}

/** False if the resolved path is not below the directory. `send` handles paths that do not exist. */
async function staysWithin(directory: string, below: string): Promise<boolean> {
  let decoded: string;
  try {
    decoded = decodeURIComponent(below);
  } catch {
    return false;
  }
  if (decoded.includes('\0') || decoded.split('/').includes('..')) return false;
  try {
    const root = await realpath(directory);
    const file = await realpath(root + decoded.replaceAll('/', sep));
    return file === root || file.startsWith(root + sep);
  } catch {
    return true;
  }
}

function answerStatus(response: ServerResponse, status: number): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = status === 404 ? 'no such file\n' : `${status}\n`;
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) }).end(body);
}

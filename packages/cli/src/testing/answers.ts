/** A server in place of a coordinator, for answers that a small cluster does not give. */
import { createServer } from 'node:http';
import { listening } from '@rollcall/agent/testing';
import { wordsOf } from './cluster.ts';
import { command, type Ran, type Surroundings } from './command.ts';

export interface Request {
  readonly line: string;
  readonly body: string;
}

/** Runs a command against these answers, by method and path. Each other path is answered with 404. */
export async function commandWithAnswers(
  t: Parameters<typeof listening>[0],
  words: string,
  answers: Readonly<Record<string, unknown>>,
  surroundings: Surroundings = {},
): Promise<Ran & { readonly requests: readonly Request[] }> {
  const requests: Request[] = [];
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    if (line === 'GET /livez') return void response.end('ok\n');
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push({ line, body });
    const answer = answers[line];
    if (answer === undefined) response.writeHead(404).end(JSON.stringify({ detail: `there is no ${line}` }));
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  const port = await listening(t, server);
  const env = { ROLLCALL_URL: `http://127.0.0.1:${port}`, ROLLCALL_STATE_DIR: '/none', ...surroundings.env };
  return { ...(await command(wordsOf(words), { ...surroundings, env })), requests };
}

/** A round robin over the nodes with @fastify/http-proxy. */
import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { BACKLOG, KEEP_ALIVE_MS, nextNode, port } from './site.ts';

const app = fastify({ keepAliveTimeout: KEEP_ALIVE_MS });
await app.register(httpProxy, {
  upstream: '',
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: KEEP_ALIVE_MS },
  replyOptions: { getUpstream: () => nextNode() },
});
await app.listen({ port: Number(port), host: '127.0.0.1', backlog: BACKLOG });

/** `/v1/mcmp`: the nodes of mod_cluster of this coordinator, as its listener answers INFO and DUMP. */
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { AdminApp } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { ProblemSchema } from './schemas.ts';

const LISTINGS = [
  [
    'info',
    'INFO',
    'getMcmpInfo',
    'Nodes, aliases and contexts of MCMP with their states and loads, as text or XML by Accept',
  ],
  [
    'dump',
    'DUMP',
    'getMcmpDump',
    'Balancers, nodes, aliases and contexts of MCMP with their settings, as text or XML by Accept',
  ],
] as const;

export function addMcmp(app: AdminApp, { mcmp }: Dependencies): void {
  for (const [name, type, operationId, summary] of LISTINGS)
    app.get(
      `/v1/mcmp/${name}`,
      {
        config: { role: 'viewer', errors: ['not-found'] },
        schema: {
          operationId,
          summary,
          produces: ['text/plain', 'text/xml'],
          response: { 200: Type.String(), '4xx': ProblemSchema },
        },
      },
      async (request, reply) => {
        const server = mcmp();
        if (server === undefined)
          throw new Refusal({
            code: 'not-found',
            message: 'this coordinator has no listener for mod_cluster; start it with --mcmp ADDRESS',
          });
        const isXml = /\b(?:text|application)\/xml\b/.test(request.headers.accept ?? '');
        const octets = Buffer.from(server.listing(type, isXml), 'latin1');
        return (reply as FastifyReply).type(`text/${isXml ? 'xml' : 'plain'}; charset=utf-8`).send(octets);
      },
    );
}

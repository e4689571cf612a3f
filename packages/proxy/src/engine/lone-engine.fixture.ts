/**
 * A program: a single engine in front of one node at the given port, so that its memory is measured alone. Sends `{ port }` when it
 * listens, and its memory on request.
 */
import { Engine } from './engine.ts';
import { ScriptedRouter, upstreamNode } from './scripted-router.fixture.ts';

const router = new ScriptedRouter();
router.nodes.push(upstreamNode('n1', Number(process.argv[2])));
const engine = new Engine({ router });
const { port } = await engine.listen({ host: '127.0.0.1', port: 0 });
process.on('message', () => process.send?.({ memory: process.memoryUsage() }));
process.on('disconnect', () => process.exit());
process.send?.({ port });

/**
 * A program: an engine alone, in front of one node at the port that is given, so that its memory is nobody else's. Sends
 * `{ port }` when it listens, and its memory whenever it is asked.
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

/** Connections recorded with version 1 of the protocol: every later release has to understand them, on both sides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Site } from '../site/site.ts';
import { record } from './record.ts';
import { replayAgent } from './replay-agent.ts';
import { replayCoordinator } from './replay-coordinator.ts';
import { transcripts } from './transcript.ts';

const TIMEOUT = { timeout: 180_000 };

/** `RECORD=1` writes them anew, with the SDK and the coordinator of this release. Never for a release that is out. */
if (process.env['RECORD']) test('transcripts are recorded', TIMEOUT, record);

test('recorded agents are served by this coordinator as they were (C22, C24, C68, C69)', TIMEOUT, async (t) => {
  const all = transcripts();
  assert.ok(all.length >= 5, `${all.length} transcripts`);
  const site = await Site.start(t);
  for (const transcript of all) await t.test(transcript.about, (t) => replayAgent(t, site, transcript));
});

test('recorded coordinators get the same from the SDK of this release as they did (C66)', TIMEOUT, async (t) => {
  for (const transcript of transcripts()) await t.test(transcript.about, (t) => replayCoordinator(t, transcript));
});

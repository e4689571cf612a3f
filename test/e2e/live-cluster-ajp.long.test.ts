/** The proof of a live cluster with Tomcats over AJP. */
import { test } from 'node:test';
import { proveWith, TOMCATS_OVER_AJP } from '../live-cluster/proof.ts';
import { noServletTomcat } from '../site/servlet-tomcat.ts';

test(
  'a live cluster of Tomcats over AJP loses no request and no session',
  {
    skip: noServletTomcat,
    timeout: 240_000,
  },
  (t) =>
    proveWith(TOMCATS_OVER_AJP, t, {
      drainAtMs: 25_000,
      kills: 3,
      killsFromMs: 33_000,
      killControlAtMs: 57_000,
      leaveAtMs: 62_000,
      killAllAtMs: 70_000,
      durationMs: 78_000,
      requests: 4_000,
      sessions: 500,
    }),
);

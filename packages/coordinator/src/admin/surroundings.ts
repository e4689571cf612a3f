import type { AgentServer } from '../agents/agent-server.ts';
import type { NodeAddressPolicy } from '../agents/node-address-policy.ts';
import type { Prober } from '../agents/prober.ts';
import type { RegistrationPace } from '../agents/registration-pace.ts';
import type { Gate } from '../auth/gate.ts';
import type { Logins } from '../auth/logins.ts';
import type { OpenConnections } from '../auth/open-connections.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Cluster } from '../cluster.ts';
import type { Config } from '../config.ts';
import type { History } from '../events/history.ts';
import type { FeedServer } from '../feed/feed-server.ts';
import type { StateDirectory } from '../files/state-directory.ts';
import type { IdleConnections } from '../network/idle-connections.ts';
import type { UnreadAnswers } from '../network/unread-answers.ts';
import type { SupervisedProcesses } from '../supervised-processes.ts';
import type { StoreSync } from '../sync/store-sync.ts';
import type { SharedAnswers } from './shared-answers.ts';

/** What the admin API and the pages speak about. */
export interface Surroundings {
  readonly config: Config;
  readonly cluster: Cluster;
  /** Lists and the status, made once for many readers. */
  readonly answers: SharedAnswers;
  readonly agents: AgentServer;
  readonly feed: FeedServer;
  readonly supervised: SupervisedProcesses;
  readonly history: History;
  readonly gate: Gate;
  readonly logins: Logins;
  readonly policy: NodeAddressPolicy;
  readonly prober: Prober;
  readonly registrations: RegistrationPace;
  readonly storeSync: StoreSync;
  readonly unread: UnreadAnswers;
  readonly idle: IdleConnections;
  readonly state: StateDirectory;
  readonly tokens: Tokens;
  readonly open: OpenConnections;
  readonly epoch: string;
  readonly startedAtUnixMs: number;
  /** Where the control port is, for people; known once it listens. */
  readonly controlUrl: () => string;
  /** False while starting and closing. */
  readonly isReady: () => boolean;
  /** Aborted when the coordinator ends: answers without an end of their own end then. */
  readonly ending: AbortSignal;
}

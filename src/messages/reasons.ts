// Why a service is not ready, as a sentence for `status`: what it waits for, why it can never start, how it stops or ended.
import type { Blockage, Claim, Obstacle, Reason, Wait } from '../core/reason.ts';
import type { StopStage } from '../core/run.ts';
import { renderDuration } from '../text.ts';
import { renderDetail, renderLapse } from './details.ts';
import { renderEnd, renderRefused } from './ends.ts';

/** Most conditions that a sentence names. */
const WAITS_SHOWN = 3;
const NAMES_SHOWN = 4;

export function renderReason(reason: Reason): string {
  switch (reason.kind) {
    case 'not-enabled':
      return 'not enabled';
    case 'idle':
      return reason.start === 'profile-off'
        ? 'its profile is off; `svc-super start` starts it'
        : '`svc-super start` starts it';
    case 'never-starts':
      return `never starts: ${renderBlockage(reason.blockage)}`;
    case 'waits':
      return renderWaits(reason.waits);
    case 'probe':
      return renderDetail(reason.detail);
    case 'liveness':
      return renderLapse(reason.lapse);
    case 'stops-later':
      return 'stops after the services that need it';
    case 'stopping':
      if (reason.stage === 'killed' && !reason.hasExited) return 'SIGKILL was sent; waiting for it to end';
      return STOPPING[reason.stage];
    case 'unkillable':
      return renderRefused(reason.refused);
    case 'scheduled': {
      const { nextIn, ended } = reason;
      const next = nextIn === null ? 'its next run is not known' : `runs again in ${renderDuration(nextIn)}`;
      return ended === null ? next.replace(' again', '') : `${next}; the latest run ${renderEnd(ended)}`;
    }
    case 'ended': {
      const { ended, restartsAfter } = reason;
      const again = restartsAfter === null ? '' : `; starts again in ${renderDuration(restartsAfter)}`;
      return `${renderEnd(ended)}${again}`;
    }
    default:
      return reason satisfies never;
  }
}

const STOPPING: Readonly<Record<StopStage, string>> = {
  draining: 'asked to stop: before_stop is under way',
  asked: 'asked to stop',
  leftovers: 'waiting for its last processes',
  held: 'it has ended: waiting 0.1 s in case a stop of the container is the reason',
  killed: 'waiting for its last processes',
  hooks: 'after_exit is under way',
  'hooks-killed': 'waiting for its last processes',
};

/** Why a service can never start, without the service's name. */
export function renderBlockage({ obstacle, choice }: Blockage): string {
  if (choice === null) return renderObstacle(obstacle);
  const few = choice.least === 1 ? 'none' : `fewer than ${choice.least}`;
  return `${few} of ${renderNames(choice.of)} can come: ${renderObstacle(obstacle)}`;
}

function renderObstacle(obstacle: Obstacle): string {
  const { on } = obstacle;
  switch (obstacle.kind) {
    case 'not-enabled':
      return `${on} is not enabled`;
    case 'failed':
      return `${on} ${obstacle.ended === null ? 'failed' : renderEnd(obstacle.ended)}`;
    case 'ended-unready':
      return `${on} ended before it was ready`;
    case 'never-starts':
      return `${on} never starts`;
    default:
      return obstacle satisfies never;
  }
}

function renderWaits(waits: readonly Wait[]): string {
  // Two lists of edges may lead to the same service.
  const all = [...new Set(waits.map(renderWait))];
  return `waits for ${all.slice(0, WAITS_SHOWN).join(', ')}${all.length > WAITS_SHOWN ? ', ...' : ''}`;
}

function renderWait(wait: Wait): string {
  switch (wait.kind) {
    case 'edge':
      return `${wait.on} to be ${wait.condition}${wait.isStopped ? ' (it was stopped)' : ''}`;
    case 'choice': {
      const names = wait.of.map(({ on, isStopped }) => `${on}${isStopped ? ' (stopped)' : ''}`);
      return `${wait.least} of ${renderNames(names)} to be ${wait.condition}`;
    }
    case 'claim':
      return `${wait.holder} to give back ${renderClaim(wait.claim)}`;
    default:
      return wait satisfies never;
  }
}

function renderClaim(claim: Claim): string {
  return claim.kind === 'port' ? `port ${claim.port}` : `GPU ${claim.id}`;
}

function renderNames(names: readonly string[]): string {
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ', ...' : ''}`;
}

// The next time of a schedule, by the same rules as the check at load.
export { nextTime } from '../config/cron.ts';

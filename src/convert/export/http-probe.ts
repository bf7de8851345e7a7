// Which parts of an HTTP probe differ from the defaults, for targets that compare less than svc-super does. Pure.
import type { HttpProbe } from '../../plan/plan.ts';

/** Whether 200 to 399, the default, is a success and nothing else is. */
export function isUsualStatus({ status: [[first, last] = [0, 0], ...more] }: HttpProbe): boolean {
  return more.length === 0 && first === 200 && last === 399;
}

/** The fields that compare the body of a response, in backquotes. */
export function bodyFields({ contains, matches, notMatches, json }: HttpProbe): readonly string[] {
  return [
    ...(contains === null ? [] : ['`contains`']),
    ...(matches === null ? [] : ['`matches`']),
    ...(notMatches === null ? [] : ['`not_matches`']),
    ...(json === null ? [] : ['`json`']),
  ];
}

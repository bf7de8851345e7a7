// Which question `top` asks the supervisor next, and when: at most two in any second, whatever the user does. Pure.

export type Question = 'status' | 'logs' | 'graph' | 'timeline' | 'details' | 'gpus' | 'history';

/** What is on the screen decides what has to be known. Milliseconds between two questions of a kind. */
export type Wanted = Readonly<Partial<Record<Question, number>>>;

export interface QuestionTimes {
  /** When each kind was asked last. */
  readonly asked: Readonly<Partial<Record<Question, number>>>;
  /** The latest two questions, whatever they were. */
  readonly latest: readonly number[];
}

const MOST = 2;
const WINDOW = 1_000;

export const NOTHING_ASKED: QuestionTimes = { asked: {}, latest: [] };

/** The next question and the time of it; null: nothing is wanted. `now`: monotonic milliseconds. */
export function nextQuestion(
  { asked, latest }: QuestionTimes,
  wanted: Wanted,
  now: number,
): { readonly question: Question; readonly at: number } | null {
  const due = (Object.entries(wanted) as [Question, number][])
    .map(([question, every]) => ({ question, at: (asked[question] ?? Number.NEGATIVE_INFINITY) + every }))
    .sort((a, b) => a.at - b.at)[0];
  if (due === undefined) return null;
  const oldest = latest.length < MOST ? undefined : latest.at(-MOST);
  const allowed = oldest === undefined ? now : oldest + WINDOW;
  return { question: due.question, at: Math.max(now, due.at, allowed) };
}

export function noteAsked({ asked, latest }: QuestionTimes, question: Question, now: number): QuestionTimes {
  return { asked: { ...asked, [question]: now }, latest: [...latest, now].slice(-MOST) };
}

/** Makes a question due at once, within the limit. */
export function askSoon({ asked, latest }: QuestionTimes, question: Question): QuestionTimes {
  const { [question]: _, ...others } = asked;
  return { asked: others, latest };
}

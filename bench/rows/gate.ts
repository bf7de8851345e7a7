// From a dependency's first successful response to the exec of its dependent.
import { freshPort, late, type Trial } from './trial.ts';

function gate(seconds: number, runs: Trial['runs'], pace: Trial['pace']): Trial {
  const [answered, became] = [`gate-${seconds}s`, `gate-${seconds}s-late`];
  return {
    name: `gate-${seconds}`,
    rows: [
      {
        id: answered,
        title: `first good answer, after ${seconds} s, to the dependent’s exec`,
        unit: 'ms',
        better: 'less',
      },
      {
        id: became,
        title: `would respond with success, after ${seconds} s, to the dependent’s exec`,
        unit: 'ms',
        better: 'less',
      },
    ],
    needs: ['gate'],
    runs,
    pace,
    async turn(entrant, { stage, number, of, alone }) {
      // Spread over more than a second, so that no contestant's probe interval matches by chance.
      const after = Math.round(seconds * 1_000 + (1_100 * (number + 0.5)) / of);
      const port = freshPort();
      await using up = await alone(async () => {
        const stack = stage(entrant, (mark) => ({
          services: [
            { name: 'model', argv: mark('model', 'http', port, after), port },
            { name: 'page', argv: mark('page', 'run'), after: 'model' },
          ],
          whenOneEnds: 'end',
          labels: false,
        }));
        await stack.until(() => stack.find('exec', 'model'), 10_000);
        return stack;
      });
      const opened = await up.until(() => up.find('exec', 'page'), after + 20_000);
      const [good, due] = [up.find('good'), up.find('becomes-good')];
      if (opened === null || good === undefined || due === undefined)
        return { [answered]: late(seconds + 20), [became]: late(seconds + 20) };
      if (opened.at < due.at) return { [answered]: 'did not wait', [became]: 'did not wait' };
      return { [answered]: opened.at - good.at, [became]: opened.at - due.at };
    },
  };
}

export const GATE: readonly Trial[] = [
  gate(1, { full: 20, quick: 4 }, 'turn by turn'),
  gate(60, { full: 4, quick: 1 }, 'all at once'),
];

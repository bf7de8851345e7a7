// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Recipes of HPC sites: every key, the forms in which times and sizes are written, what is wrong and what is unknown.
import { describe, expect, test } from 'bun:test';
import { hasRecipe, type Recipe, readRecipe, readRecipeIn } from '../../src/convert/recipe.ts';

const WHOLE = `name: train
container: { definition: train.def, image: docker://ghcr.io/team/train:2 }
resources: { nodes: 1, cpu: 8, memory: 64 GiB, gpu: 2, gpu_type: a100, time_limit: 1d2h30m }
environment: { HF_HOME: /scratch/hf, LEVEL: 3 }
ports: { web: 8000, api: 9000 }
slurm: { partition: gpu, qos: high, account: team-1 }
`;

function good(text: string): Recipe {
  const result = readRecipe('recipe.yaml', text);
  if (!result.ok) throw new Error(JSON.stringify(result.error.diagnostics));
  return result.value;
}

const wrong = (text: string): readonly string[] => {
  const result = readRecipe('recipe.yaml', text);
  return result.ok
    ? []
    : result.error.diagnostics.map(({ range, message }) => `${range.line}:${range.column} ${message}`);
};

describe('a recipe', () => {
  test('is read with every key', () => {
    expect(good(WHOLE)).toMatchObject({
      name: 'train',
      container: { definition: 'train.def', image: 'docker://ghcr.io/team/train:2' },
      resources: { nodes: 1, cpu: 8, memory: '64G', gpu: 2, gpuType: 'a100', timeLimit: '26:30:00' },
      environment: new Map([
        ['HF_HOME', '/scratch/hf'],
        ['LEVEL', '3'],
      ]),
      ports: [
        { name: 'web', port: 8000 },
        { name: 'api', port: 9000 },
      ],
      slurm: { partition: 'gpu', qos: 'high', account: 'team-1' },
      unknown: [],
    });
  });

  test.each([
    ['24:00:00', '24:00:00'],
    ['"1-12:00:00"', '1-12:00:00'],
    ['90', '90'],
    ['4h', '04:00:00'],
    ['45m', '00:45:00'],
    ['2d', '48:00:00'],
  ])('the time limit %s is %s for Slurm', (written, limit) => {
    expect(good(`resources: { time_limit: ${written} }`).resources.timeLimit).toBe(limit);
  });

  test.each([
    ['64GB', '64G'],
    ['512MiB', '512M'],
    ['32g', '32G'],
    ['4096', '4096'],
  ])('the memory %s is %s for Slurm', (written, memory) => {
    expect(good(`resources: { memory: ${written} }`).resources.memory).toBe(memory);
  });

  test('takes lists of ports and of variables, as other tools write them', () => {
    const { ports, environment } = good('ports: [8000, "9000:90"]\nenvironment: ["A=b=c", "D=", "E=${HOME}"]\n');
    expect(ports.map(({ port }) => port)).toEqual([8000, 90]);
    expect([...environment]).toEqual([
      ['A', 'b=c'],
      ['D', ''],
      ['E', '${HOME}'],
    ]);
  });

  test('names what it does not know, and where it is', () => {
    const { unknown } = good('name: x\nresources:\n  gpus: 2\nmail: me\n');
    expect(unknown.map(({ key, where }) => `${where.line}:${where.column} ${key}`)).toEqual([
      '4:1 mail',
      '3:3 resources.gpus',
    ]);
  });

  test('finds a key by its path', () => {
    expect(good(WHOLE).locate(['slurm', 'qos'])).toEqual({ file: 'recipe.yaml', line: 6, column: 26 });
    expect(good(WHOLE).locate(['nothing'])).toMatchObject({ line: 1, column: 1 });
  });

  test('refuses wrong values, all at once, with their places', () => {
    expect(wrong('resources: { cpu: many, gpu: -1, time_limit: soon }\nslurm: gpu\n')).toEqual([
      expect.stringMatching(/^1:19 `cpu` must be a number of processors/),
      expect.stringMatching(/^1:30 `gpu` must be a number of GPUs/),
      expect.stringMatching(/^1:46 `time_limit` must be a time/),
      expect.stringMatching(/^2:8 /),
    ]);
    expect(wrong('- a list\n')).toEqual(['1:1 a recipe is a map']);
    // A line end in a value would be a second line of the script.
    expect(wrong('slurm: { partition: "gpu\\n#SBATCH --uid=0" }\n')).not.toEqual([]);
  });
});

test('parts of a recipe in a services.yaml are read, and the rest is not', () => {
  const text = `x-resources: { gpu: 4 }\nx-slurm:\n  partition: gpu\nservices: { a: { command: a } }\n`;
  expect(hasRecipe(text)).toBe(true);
  const result = readRecipeIn('services.yaml', text);
  expect(result).toMatchObject({
    ok: true,
    value: { name: null, resources: { gpu: 4 }, slurm: { partition: 'gpu' }, unknown: [] },
  });
  expect(result.ok && result.value.locate(['slurm', 'partition'])).toEqual({
    file: 'services.yaml',
    line: 3,
    column: 3,
  });
  expect(hasRecipe('services: {}\n')).toBe(false);
});

test('parts of a recipe in a services.yaml that is JSON; an unknown key is named as it is written', () => {
  const text = '{"services": {"a": {"command": "a"}}, "x-container": {"image": "i"}, "x-resources": {"gpus": 4}}';
  expect(hasRecipe(text)).toBe(true);
  expect(readRecipeIn('services.yaml', text)).toMatchObject({
    ok: true,
    value: { container: { image: null }, unknown: [{ key: 'x-resources.gpus' }] },
  });
});

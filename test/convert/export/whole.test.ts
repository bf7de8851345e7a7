// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The exports that leave services.yaml as it is: what they repeat of it, and what they report.
import { describe, expect, test } from 'bun:test';
import type { ExportRequest } from '../../../src/convert/export/export.ts';
import { renderFinding } from '../../../src/convert/findings.ts';
import { readRecipe } from '../../../src/convert/recipe.ts';
import { exported } from './rig.ts';

const run = async (file: object | string, options: Partial<ExportRequest> & Pick<ExportRequest, 'format'>) => {
  const text = typeof file === 'string' ? file : JSON.stringify(file);
  const { files, findings } = await exported(text, options);
  return { files, text: files[0]?.text ?? '', report: findings.map(renderFinding).join('\n') };
};

const web = { command: ['web'], port: 8000 };

describe('slurm', () => {
  const slurm = (file: object | string, recipe: string | null = null) => {
    const read = recipe === null ? null : readRecipe('recipe.yaml', recipe);
    if (read !== null && !read.ok) throw new Error(JSON.stringify(read.error));
    return run(file, { format: 'slurm', recipe: read?.value ?? null });
  };

  test('sums the GPUs: shared ones once, none of services that are not enabled', async () => {
    const gres = async (...gpus: readonly unknown[]) => {
      const services = Object.fromEntries(gpus.map((one, index) => [`s${index}`, { command: ['a'], gpus: one }]));
      return /^#+SBATCH --gres=\S+/m.exec((await slurm({ services })).text)?.[0];
    };
    expect(await gres(1, 2)).toBe('#SBATCH --gres=gpu:3');
    expect(await gres(1, { share: 2 }, { share: 1 })).toBe('#SBATCH --gres=gpu:3');
    expect(await gres([0, 1], 0)).toBe('#SBATCH --gres=gpu:2');
    expect(await gres('all', 1)).toBe('##SBATCH --gres=gpu:1');
    expect(await gres(0)).toBeUndefined();
    const { text } = await slurm({ services: { a: web, b: { command: ['b'], gpus: 4, enabled: false } } });
    expect(text).not.toContain('gres');
    expect(text).not.toContain('--nv');
  });

  test('chooses ports that nothing on the node and no other variable of the job has', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const { port } = taken;
    const services = {
      a: { command: ['a'], port: `\${A:-${port - 1}}`, replicas: 2 },
      b: { command: ['b'], port: `\${B:-${port + 1}}` },
      c: { command: ['c'], port: `\${C:-${port + 50}}` },
      d: { command: ['d'], ports: [`\${D:-${port + 60}}`, `\${E:-${port + 61}}`] },
    };
    const { text } = await slurm({ services });
    const script = text.slice(text.indexOf('chosen='), text.indexOf('\n\n# With --cleanenv'));
    const { stdout } = Bun.spawnSync(['bash', '-euc', `${script}\necho $A $B $C $D $E`], {
      env: { ...process.env, C: '7' },
    });
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = stdout.toString().trim().split(' ').map(Number);
    expect(a).toBeGreaterThan(port);
    // Two in a row for the copies, and none of them for the others; what is set stays.
    expect(new Set([a, a + 1, b, d, e]).size).toBe(5);
    expect([c, e]).toEqual([7, d + 1]);
  });

  test('copies count each', async () => {
    expect((await slurm({ services: { a: { command: ['a'], gpus: 2, replicas: 3 } } })).text).toContain(
      '--gres=gpu:6\n',
    );
  });

  test('warns of what the node or Apptainer does otherwise', async () => {
    const { text, report } = await slurm({
      stop_timeout: '40s',
      hosts: true,
      services: {
        a: { ...web, user: 'nobody', nice: -1, oom_score_adj: -5, cpus: '0', log: { file: { path: '/var/log/a' } } },
        b: { command: ['b'], nice: 3, oom_score_adj: 5 },
      },
    });
    expect(text).toContain('#SBATCH --signal=B:TERM@50\n');
    expect(report).toContain('changed meaning: `stop_timeout`: after `scancel` Slurm kills in KillWait, 30 s');
    for (const field of ['user', 'nice', 'oom_score_adj'])
      expect(report).toContain(`not carried over: \`${field}\` of a: `);
    expect(report).toContain('changed meaning: `cpus` of a: ');
    expect(report).toContain('needs a look: `log.file` of a: ');
    expect(report).toContain('not carried over: `hosts`: ');
    expect(report).toContain(
      'needs a look: `port` of a: the ports of a node are shared by its jobs, and 8000 may be taken. Write `port: ${A_PORT:-8000}`',
    );
    expect(report).not.toContain('of b:');
  });

  test('becomes Apptainer by exec, and has the comments that a user needs', async () => {
    const { text } = await slurm({ name: 'My Job!', services: { web } });
    expect(text).toContain('\nexec apptainer run --cleanenv --no-home my-job.sif\n');
    expect(text).toContain('`scancel -b -s TERM JOB` stops the services in order. Plain `scancel JOB`');
    for (const option of ['partition', 'account', 'qos', 'cpus-per-task', 'mem', 'time'])
      expect(text).toContain(`\n##SBATCH --${option}=`);
    // Slurm reads no directive behind the first command.
    expect(text.lastIndexOf('SBATCH')).toBeLessThan(text.indexOf('set -eu'));
  });

  test('takes a recipe, and reports what it does not use of it', async () => {
    const recipe = `name: other
container: { definition: own.def, image: /images/chat.sif }
resources: { nodes: 2, cpu: 8, memory: 64GB, gpu: 2, gpu_type: a100, time_limit: 4h }
environment: { TOKEN: "it's" }
ports: [9999]
slurm: { partition: gpu, qos: high, account: team }
mail: me
`;
    const { text, files, report } = await slurm({ services: { a: { ...web, gpus: 1 } } }, recipe);
    expect(files.map(({ name }) => name)).toEqual(['other.sbatch', 'other.def', 'services.yaml']);
    for (const option of [
      'partition=gpu',
      'qos=high',
      'account=team',
      'cpus-per-task=8',
      'mem=64G',
      'time=04:00:00',
      'gres=gpu:a100:2',
    ])
      expect(text).toContain(`\n#SBATCH --${option}\n`);
    expect(text).not.toContain('##SBATCH');
    expect(text).toContain("\nexport APPTAINERENV_TOKEN='it'\\''s'\n");
    expect(text).toContain('/images/chat.sif\n');
    expect(report).toContain('recipe.yaml:7:1: not carried over: `mail`');
    expect(report).toContain('recipe.yaml:3:14: changed meaning: `resources.nodes`');
    expect(report).toContain('recipe.yaml:2:14: needs a look: `container.definition`');
    expect(report).toContain('recipe.yaml:5:1: needs a look: `ports`');
    expect(report).toContain('the recipe asks for 2 GPUs, and the services need 1');
  });

  test('takes the parts of a recipe in services.yaml', async () => {
    const { text } = await slurm(
      'x-slurm: { partition: long }\nx-resources: { time_limit: 2h }\nservices: { a: { command: a } }\n',
    );
    expect(text).toContain('#SBATCH --partition=long\n');
    expect(text).toContain('#SBATCH --time=02:00:00\n');
  });

  test('the definition copies environment files, whatever their names are, and names them for the build', async () => {
    const env_file = ['a b.env', 'conf/../c.env', '..d.env', 'conf/../../e.env', 'f".env'];
    const { files, report } = await slurm({ services: { a: { ...web, env_file } } });
    const definition = files[1]?.text ?? '';
    expect(definition).toContain('in a folder with services.yaml, "a b.env", conf/../c.env, ..d.env and the two files');
    expect(definition.match(/^ .*env"?$/gm)).toEqual([
      '    "a b.env" "/etc/svc-super/a b.env"',
      '    conf/../c.env /etc/svc-super/c.env',
      '    ..d.env /etc/svc-super/..d.env',
    ]);
    expect(report).toContain('conf/../../e.env is outside the folder of the build');
    expect(report).toContain('a `%files` section cannot hold its name');
  });

  test('writes the header of the definition by the kind of image', async () => {
    const header = async (image: string) => {
      const { files } = await exported(JSON.stringify({ services: { web } }), { format: 'slurm', image });
      return files[1]?.text.split('\n').slice(0, 2);
    };
    expect(await header('ghcr.io/a/b:1')).toEqual(['Bootstrap: docker', 'From: ghcr.io/a/b:1']);
    expect(await header('docker:24-dind')).toEqual(['Bootstrap: docker', 'From: docker:24-dind']);
    expect(await header('docker-archive:/a.tar')).toEqual(['Bootstrap: docker-archive', 'From: /a.tar']);
    expect(await header('docker://a/b')).toEqual(['Bootstrap: docker', 'From: a/b']);
    expect(await header('oras://r/a:1')).toEqual(['Bootstrap: oras', 'From: r/a:1']);
    expect(await header('/images/base.sif')).toEqual(['Bootstrap: localimage', 'From: /images/base.sif']);
  });
});

describe('dockerfile', () => {
  test('copies environment files that stand beside services.yaml, and reports the others', async () => {
    const { text, report } = await run(
      {
        env_file: ['a.env', '/etc/b.env'],
        services: { a: { ...web, env_file: [{ path: 'c.env', required: false }, '../d.env'] } },
      },
      { format: 'dockerfile' },
    );
    expect(text.match(/^COPY .*env$/gm)).toEqual(['COPY a.env /etc/svc-super/a.env']);
    expect(text).toContain('The folder of the build has to contain services.yaml, a.env and\n');
    const strange = { services: { a: { ...web, env_file: 'x\ny.env' } } };
    const { text: quoted } = await run(strange, { format: 'dockerfile' });
    expect(quoted).toContain('has to contain services.yaml, "x\\ny.env" and\n');
    for (const name of ['/etc/b.env', 'c.env', '../d.env'])
      expect(report).toContain(`needs a look: \`env_file\` ${name}: `);
  });

  test('names the options of `docker run`, and reports a stop that takes longer than Docker waits', async () => {
    const { text, report } = await run(
      { name: 'x', stop_timeout: '30s', services: { a: { ...web, gpus: 2 } } },
      { format: 'dockerfile' },
    );
    expect(text).toContain('docker build -t x . && docker run --gpus 2 --stop-timeout 35 -p 8000:8000 x\n');
    expect(report).toContain('changed meaning: `stop_timeout`: `docker stop` kills after 10 s');
  });

  test('gives health checks the time of the longest chain', async () => {
    const ready = { ready: { exec: 'true' } };
    const services = {
      a: { command: ['a'], ...ready, start_timeout: '10m' },
      t: { type: 'task', command: ['t'], start_timeout: '90s', depends_on: { a: 'ready' } },
      b: { command: ['b'], ...ready, start_timeout: '5m', depends_on: { t: 'completed' } },
      c: { command: ['c'], start_timeout: '3h' },
    };
    expect((await run({ services }, { format: 'dockerfile' })).text).toContain('--start-period=17m ');
  });

  test('stops by a signal that the file takes as a request to stop', async () => {
    expect((await run({ stop_signals: ['QUIT', 'INT'], services: { web } }, { format: 'dockerfile' })).text).toContain(
      'STOPSIGNAL SIGQUIT\n',
    );
  });

  test('without an image it has a usual one, and says so', async () => {
    const { text, report } = await run({ services: { web } }, { format: 'dockerfile', image: null });
    expect(text).toContain('FROM debian:stable-slim\n');
    expect(report).toContain('needs a look: the base image');
  });
});

describe('systemd', () => {
  test('has ports, devices and times, and no specifier by mistake', async () => {
    const { text, files } = await run(
      { name: 'x', stop_timeout: '20s', services: { a: { ...web, gpus: 2 } } },
      { format: 'systemd', image: 'r/a%b:1' },
    );
    expect(files[0]?.name).toBe('x.container');
    for (const line of [
      'Image=r/a%%b:1',
      'PublishPort=8000:8000',
      'AddDevice=nvidia.com/gpu=0',
      'AddDevice=nvidia.com/gpu=1',
      'PodmanArgs=--stop-timeout=25 --stop-signal=SIGTERM',
      'TimeoutStopSec=30',
    ])
      expect(text).toContain(`\n${line}\n`);
  });
});

describe('a file in which nothing is enabled', () => {
  const services = (enabled: unknown) => ({ services: { a: { ...web, enabled } } });
  test('is refused', async () => {
    for (const format of ['systemd', 'kubernetes', 'compose'] as const)
      await expect(run(services(false), { format })).rejects.toThrow(
        'no service is enabled: there is nothing to export',
      );
  });
  test('or everything is started by hand, which the error says', async () => {
    for (const field of [{ start: 'manual' }, { profiles: ['debug'] }])
      await expect(run({ services: { a: { ...web, ...field } } }, { format: 'kubernetes' })).rejects.toThrow(
        /no service starts by itself: there is nothing to export[\s\S]*remove `start: manual` or `profiles`/,
      );
  });
  test('unless a variable enables a service and the output asks the container', async () => {
    expect((await run(services('${ON:-}'), { format: 'systemd' })).text).toContain('PublishPort=8000:8000');
    expect((await run(services('${ON:-}'), { format: 'kubernetes', oneContainer: true })).text).toContain(
      'containerPort: 8000',
    );
    expect((await run(services('${ON:-}'), { format: 'compose' })).text).toContain('profiles:');
    await expect(run(services('${ON:-}'), { format: 'kubernetes' })).rejects.toThrow('no service is enabled');
    await expect(run(services('${ON:-}'), { format: 'nosana', perService: true })).rejects.toThrow(
      'no service is enabled',
    );
  });
});

describe('variables', () => {
  test('whose values the output repeats are reported, others are not', async () => {
    const services = { a: { command: ['a', '${MODEL:-x}'], port: '${PORT_A:-80}', gpus: '${GPUS:-2}' } };
    const { text, report } = await run({ services }, { format: 'systemd' });
    expect(text).toContain('PublishPort=80:80\n');
    expect(report).toContain('`${PORT_A:-80}`: the output has the default of PORT_A');
    expect(report).toContain('`${GPUS:-2}`');
    expect(report).not.toContain('MODEL');
  });

  test('without a default get a value that the field takes', async () => {
    const { text, report } = await run(
      { stop_timeout: '${STOP}', services: { a: { command: ['a'], port: '${PORT_A}', enabled: '${ON}' } } },
      { format: 'systemd' },
    );
    expect(text).toContain('PublishPort=1:1\n');
    expect(report).toContain('PORT_A has no default, and the output assumes 1');
    expect(report).toContain('STOP has no default, and the output assumes 1s');
    expect(report).toContain('ON has no default, and without it nothing starts. Set it where the container is run');
  });
});

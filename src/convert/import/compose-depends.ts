// `depends_on` of a Compose service. Conditions: https://github.com/compose-spec/compose-spec/blob/main/05-services.md#depends_on
import type { ServiceDraft } from '../services-yaml.ts';
import { meaningOf } from '../words.ts';
import { briefOf, entriesOf, Section, switchOf, textsOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import type { ComposeReader } from './compose-reader.ts';

const CONDITIONS: Readonly<Record<string, string>> = {
  service_started: 'started',
  service_healthy: 'ready',
  service_completed_successfully: 'completed',
};

/** Writes `depends_on`. Dependencies on services that are not in the file are reported. */
export function importDependencies(reader: ComposeReader, service: ServiceDraft): void {
  const { section, report, context } = reader;
  const node = section.take('depends_on');
  const depends: Record<string, Value> = {};
  /** Returns whether the service now depends on it. */
  const add = (from: 'depends_on' | 'links', key: string, value: Value): boolean => {
    const name = context.names.get(key);
    const what = `${from} ${key}`;
    if (context.holders.has(key))
      report.lost(section.where(from), what, 'that service only keeps a network, which one container has anyway');
    else if (name === undefined) report.look(section.where(from), what, 'no service has that name', 'it is left out');
    else if (name !== service.name) {
      depends[name] = value;
      return true;
    }
    return false;
  };
  if (node?.kind === 'map') {
    for (const { key, node: terms } of entriesOf(node)) {
      const one = new Section(terms, section.source);
      const condition = one.text('condition') ?? 'service_started';
      const word = meaningOf(CONDITIONS, condition);
      if (word === undefined)
        report.look(
          one.where('condition'),
          `depends_on ${key}`,
          `Compose has no condition ${condition}`,
          'started is used',
        );
      const restarts = one.has('restart') && switchOf(one.take('restart')) === true;
      const isAdded = add(
        'depends_on',
        key,
        restarts ? { condition: word ?? 'started', restart: true } : (word ?? 'started'),
      );
      if (switchOf(one.take('required')) === false && isAdded) {
        report.changed(one.where('required'), `depends_on ${key} of ${reader.key}`, 'it is required here');
      }
      for (const { key: other, node: value } of one.rest()) {
        report.lost(
          one.where(other),
          `depends_on.${other} of ${reader.key}: ${briefOf(value)}`,
          'Compose has no such key',
        );
      }
    }
  } else for (const key of textsOf(node)) add('depends_on', key, 'started');
  for (const link of textsOf(section.take('links'))) {
    const [key = '', alias] = link.split(':');
    if (depends[context.names.get(key) ?? ''] === undefined) add('links', key, 'started');
    if (alias !== undefined && alias !== key) {
      report.lost(
        section.where('links'),
        `link ${link} of ${reader.key}`,
        `no host is called ${alias} here`,
        `write 127.0.0.1 or ${key}`,
      );
    }
  }
  if (Object.keys(depends).length > 0) service.fields.depends_on = depends;
}

/** Makes each service that another one waits for to complete a task. */
export function markTasks(services: readonly ServiceDraft[], report: ComposeReader['report']): void {
  const awaited = new Set(
    services.flatMap(({ fields: { depends_on } }) =>
      Object.entries((depends_on ?? {}) as Readonly<Record<string, Value>>).flatMap(([name, value]) => {
        const condition = typeof value === 'object' ? (value as Readonly<Record<string, Value>>).condition : value;
        return condition === 'completed' ? [name] : [];
      }),
    ),
  );
  for (const { name, fields } of services) {
    if (!awaited.has(name)) continue;
    fields.type = 'task';
    if (fields.restart === 'always') {
      fields.restart = 'on-failure';
      report.changed(
        null,
        `restart of ${name}`,
        'others wait for it to complete, so it is a task, which is restarted only after a failure',
      );
    }
    // It comes from the health check, which limits in Compose neither the start of such a service nor its end.
    if (fields.start_timeout !== undefined) fields.start_timeout = undefined;
  }
}

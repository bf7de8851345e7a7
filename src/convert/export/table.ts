// The table of export formats. Each is loaded only when it is asked for.
import type { Exporter } from './format.ts';

export interface ExportFormat {
  /** What it writes, for messages. */
  readonly summary: string;
  /** The image that is used where none is given; null: `--image` is required. */
  readonly image: string | null;
  load(): Promise<Exporter>;
}

export const EXPORT_FORMATS = {
  nosana: {
    summary: 'a job definition of Nosana',
    image: null,
    load: async () => (await import('./nosana.ts')).exportNosana,
  },
  compose: {
    summary: 'a Compose file',
    image: null,
    load: async () => (await import('./compose.ts')).exportCompose,
  },
  kubernetes: {
    summary: 'manifests of Kubernetes',
    image: null,
    load: async () => (await import('./kubernetes.ts')).exportKubernetes,
  },
  slurm: {
    summary: 'a batch script of Slurm and an Apptainer definition',
    image: null,
    load: async () => (await import('./slurm.ts')).exportSlurm,
  },
  dockerfile: {
    summary: 'a Dockerfile',
    image: 'debian:stable-slim',
    load: async () => (await import('./dockerfile.ts')).exportDockerfile,
  },
  systemd: {
    summary: 'a Podman quadlet for systemd',
    image: null,
    load: async () => (await import('./systemd.ts')).exportSystemd,
  },
} as const satisfies Readonly<Record<string, ExportFormat>>;

export type ExportFormatName = keyof typeof EXPORT_FORMATS;

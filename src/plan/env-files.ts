// Reads one env file or one secret. The values are used when the configuration is read and again at each start of a service.
// Reads files only through its argument; never shows a value.
import { type Dotenv, parseDotenv } from '../config/dotenv.ts';
import { type FileReader, readBytesAsText } from '../config/file.ts';

/** Set by the supervisor for every service. Other values of these are ignored, also those of an outer supervisor. */
export const RESERVED: ReadonlySet<string> = new Set([
  'SVC_NAME',
  'SVC_REPLICA',
  'SVC_RUN',
  'SPT_NOENV',
  'NOTIFY_SOCKET',
]);

export interface UnreadableFile {
  readonly ok: false;
  readonly code: string;
  /** Follows the path: "cannot read PATH: ". */
  readonly why: string;
  readonly suggestion?: string;
}

export const isMissing = ({ code }: UnreadableFile): boolean => code === 'file-missing';

type EnvFileRead = { readonly ok: true; readonly parsed: Dotenv; readonly text: string } | UnreadableFile;

/** The lines of an env file; `parsed` has its mistakes too. */
export function readEnvFile(files: FileReader, path: string): EnvFileRead {
  const read = readBytesAsText(files, path);
  return read.ok ? { ok: true, parsed: parseDotenv(read.text), text: read.text } : read;
}

/** The text of a secret, without its last newline. */
export function readSecret(
  files: FileReader,
  path: string,
): { readonly ok: true; readonly text: string } | UnreadableFile {
  const read = readBytesAsText(files, path);
  if (!read.ok) return read;
  if (!read.text.includes('\0')) return { ok: true, text: read.text.replace(/\r?\n$/, '') };
  return { ok: false, code: 'nul-character', why: 'it contains a NUL character, which a variable cannot contain' };
}

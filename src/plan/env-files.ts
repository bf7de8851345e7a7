// Reads one env file or one secret, when the configuration is read and again at each start of a service. Reads files only through
// an argument. Never puts a value into a message.
import { type Dotenv, parseDotenv } from '../config/dotenv.ts';
import { type FileReader, readBytesAsText } from '../config/file.ts';

/** Variables that the supervisor sets for every service. Values from elsewhere, also from an outer supervisor, are ignored. */
export const RESERVED: ReadonlySet<string> = new Set([
  'SVC_NAME',
  'SVC_REPLICA',
  'SVC_RUN',
  'SPT_NOENV',
  'NOTIFY_SOCKET',
]);

/** A file that cannot be read. `code`: of the diagnostic. */
export interface UnreadableFile {
  readonly ok: false;
  readonly code: string;
  /** Follows "cannot read PATH: ". */
  readonly why: string;
  readonly suggestion?: string;
}

/** Whether the file does not exist. */
export const isMissing = ({ code }: UnreadableFile): boolean => code === 'file-missing';

type EnvFileRead = { readonly ok: true; readonly parsed: Dotenv; readonly text: string } | UnreadableFile;

/** Reads an env file. `parsed` has its variables and its mistakes. */
export function readEnvFile(files: FileReader, path: string): EnvFileRead {
  const read = readBytesAsText(files, path);
  return read.ok ? { ok: true, parsed: parseDotenv(read.text), text: read.text } : read;
}

/** Reads a secret: the text of a file, without its last newline. */
export function readSecret(
  files: FileReader,
  path: string,
): { readonly ok: true; readonly text: string } | UnreadableFile {
  const read = readBytesAsText(files, path);
  if (!read.ok) return read;
  if (!read.text.includes('\0')) return { ok: true, text: read.text.replace(/\r?\n$/, '') };
  return { ok: false, code: 'nul-character', why: 'it contains a NUL character, which a variable cannot contain' };
}

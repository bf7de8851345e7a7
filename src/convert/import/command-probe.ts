// Commands that only ask whether something answers (`curl -f URL`, `wget -q URL`, `nc -z HOST PORT`) as probes of
// services.yaml, which need no such program in the image. Runs nothing.

import { readPort } from '../quantities.ts';
import { splitWords } from '../words.ts';
import type { ValueMap } from '../yaml-values.ts';

/** What a command asks, of any host: the caller checks isLocal() before probeValue(). Null instead of it: the command does more. */
export type CommandProbe =
  | {
      readonly kind: 'http';
      readonly host: string;
      readonly port: number;
      readonly path: string;
      readonly scheme: 'http' | 'https';
      readonly insecure: boolean;
      readonly method: string | null;
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Options of curl that change nothing about the question; those in `VALUED` take a value. */
const CURL_FLAGS =
  /^-[fsSkLIgv46]+$|^--(?:fail|fail-with-body|silent|show-error|insecure|location|head|verbose|no-progress-meter|ipv4|retry-connrefused)$/;
const CURL_VALUED = /^(?:-o|--output|-m|--max-time|--connect-timeout|--retry|--retry-delay|-X|--request)$/;
const WGET_FLAGS =
  /^-(?:q|nv|qO-|qO|S)$|^--(?:quiet|spider|no-verbose|no-check-certificate|server-response)$|^--tries=\d+$|^--timeout=\d+$|^-(?:qO|O)\/dev\/null$/;
const WGET_VALUED = /^(?:-O|-T|-t|--tries|--timeout|--output-document|-qO)$/;

/** A command line of a shell; a `|| exit 1` at its end, and output that is thrown away, do not count. */
export function probeOfText(text: string): CommandProbe | null {
  const bare = text
    .trim()
    .replace(/\s*\|\|\s*(?:exit\s+\d+|false|kill\s+1)\s*;?\s*$/, '')
    .replace(/\s+(?:>|1>)\s*\/dev\/null(?:\s+2>&1)?|\s+&>\s*\/dev\/null|\s+2>\s*\/dev\/null|\s+2>&1\s*$/g, '');
  if (/[;&|<>`$()]/.test(bare.replace(/"[^"$`]*"|'[^']*'/g, 'q'))) return null;
  const split = splitWords(bare);
  return split.ok ? probeOfWords(split.words) : null;
}

/** A program with its arguments. */
export function probeOfWords(words: readonly string[]): CommandProbe | null {
  const [program = '', ...rest] = words;
  const name = program.replace(/^.*\//, '');
  if (name === 'curl') return readUrl(rest, CURL_FLAGS, CURL_VALUED);
  if (name === 'wget') return readUrl(rest, WGET_FLAGS, WGET_VALUED);
  if (name === 'nc' || name === 'ncat' || name === 'netcat') return readNetcat(rest);
  return null;
}

function readUrl(words: readonly string[], flags: RegExp, valued: RegExp): CommandProbe | null {
  let url: string | null = null;
  let insecure = false;
  let method: string | null = null;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (valued.test(word)) {
      const value = words[at + 1] ?? '';
      if (word === '-X' || word === '--request') method = value;
      at += 1;
    } else if (flags.test(word)) {
      insecure ||= /^-[a-zA-Z]*k|^--insecure$|^--no-check-certificate$/.test(word);
      if (/^-[a-zA-Z]*I|^--head$/.test(word)) method = 'HEAD';
    } else if (word.startsWith('-') || url !== null) return null;
    else url = word;
  }
  return url === null ? null : parseUrl(url, insecure, method);
}

function parseUrl(url: string, insecure: boolean, method: string | null): CommandProbe | null {
  const [, scheme = 'http', host = '', port, path = ''] =
    /^(?:(https?):\/\/)?(localhost|\[[0-9a-fA-F:]+\]|[\w.-]+)(?::(\d{1,5}))?([/?][^\s#]*)?$/.exec(url) ?? [];
  if (host === '' || (method !== null && !/^[A-Z]{3,7}$/.test(method))) return null;
  const number = readPort(port ?? (scheme === 'https' ? '443' : '80'));
  if (number === null) return null;
  const whole = path === '' ? '/' : path.startsWith('?') ? `/${path}` : path;
  return { kind: 'http', scheme: scheme as 'http' | 'https', host, port: number, path: whole, insecure, method };
}

function readNetcat(words: readonly string[]): CommandProbe | null {
  const isFlag = (word: string) => /^-[zvwn]+$/.test(word);
  if (!words.some((word) => /^-\w*z/.test(word))) return null;
  const rest: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (/^-\w*w$/.test(word)) at += 1;
    else if (!isFlag(word)) rest.push(word);
  }
  const [host = '', port = ''] = rest;
  const number = readPort(port);
  return rest.length === 2 && number !== null ? { kind: 'tcp', host, port: number } : null;
}

/** Names of this machine; `hosts`: names of services, which are this machine too. */
export function isLocal(host: string, hosts: ReadonlySet<string> = new Set()): boolean {
  return host === 'localhost' || host === '0.0.0.0' || host === '[::1]' || /^127\./.test(host) || hosts.has(host);
}

/**
 * The probe as a value of `ready`, for a service whose first port is `own`. Its host is a local one (isLocal), and becomes 127.0.0.1
 * unless it is `[::1]`.
 */
export function probeValue(probe: CommandProbe, own: number | null): ValueMap {
  if (probe.kind === 'tcp') return { tcp: probe.port === own ? true : probe.port };
  const { scheme, port, path, insecure, method } = probe;
  const host = probe.host === '[::1]' ? '[::1]' : '127.0.0.1';
  const isShort = port === own && scheme === 'http' && host === '127.0.0.1';
  const url = isShort ? path : `${scheme}://${host}:${port}${path}`;
  const more = { ...(insecure && scheme === 'https' && { verify_tls: false }), ...(method !== null && { method }) };
  if (Object.keys(more).length === 0) return { http: url };
  return { http: isShort ? { path, ...more } : { url, ...more } };
}
